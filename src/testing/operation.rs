//! The DynamoDB operation that a request asks for.

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

macro_rules! operations {
    ($($name:ident)*) => {
        /// An operation of DynamoDB, as the header `X-Amz-Target` names it.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Operation {
            $(
                #[doc = concat!("`", stringify!($name), "`.")]
                $name,
            )*
            /// Any other operation, by its name.
            Other(String),
        }

        impl Operation {
            /// The name of the operation, as in `PutItem`.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$name => stringify!($name),)*
                    Self::Other(name) => name,
                }
            }
        }

        impl From<&str> for Operation {
            fn from(name: &str) -> Self {
                match name {
                    $(stringify!($name) => Self::$name,)*
                    other => Self::Other(other.to_owned()),
                }
            }
        }
    };
}

operations! {
    BatchGetItem BatchWriteItem CreateTable DeleteItem DeleteTable DescribeTable ExecuteStatement ExecuteTransaction
    GetItem ListTables PutItem Query Scan TransactGetItems TransactWriteItems UpdateItem UpdateTable UpdateTimeToLive
}

impl Operation {
    /// Reads the operation from the request's target, which looks like `DynamoDB_20120810.PutItem`.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        Self::from(target.rsplit('.').next().unwrap_or_default())
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
