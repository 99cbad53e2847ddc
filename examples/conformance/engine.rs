//! Which engine answers, and a client for it.

use std::fmt;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::config::{Builder, Credentials, Region};
use dynamo_once::testing::Embedded;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Embedded,
    LocalStack,
    DynamoDbLocal,
    Aws,
    /// Something else that speaks the protocol: no deviation of its is known.
    Unknown,
}

/// Where the checks run.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Embedded,
    Endpoint(String),
    /// The service itself; at another address than the usual one where one is given.
    Aws(Option<String>),
}

impl Target {
    /// The client, and the engine behind it: what the target says, else what the endpoint says of itself.
    pub(crate) async fn connect(&self) -> (Client, Engine) {
        match self {
            Self::Embedded => (Client::from_conf(Embedded::start().await.config().build()), Engine::Embedded),
            Self::Aws(endpoint) => (client(endpoint.as_deref(), false).await, Engine::Aws),
            Self::Endpoint(url) => {
                let engine = Engine::behind(url).await;
                (client(Some(url), engine != Engine::Aws).await, engine)
            }
        }
    }

    /// Where that is, as a phrase.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Endpoint(url) | Self::Aws(Some(url)) => format!(" at {url}"),
            Self::Embedded | Self::Aws(None) => String::new(),
        }
    }
}

impl Engine {
    async fn behind(url: &str) -> Self {
        let host = url.split_once("://").map_or(url, |(_, rest)| rest);
        let host = host.split(['/', ':']).next().unwrap_or(host);
        if [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|end| host.ends_with(end)) {
            return Self::Aws;
        }
        let health = ask(url, "/_localstack/health").await.unwrap_or_default();
        if health.contains("\"dynamodb\"") {
            return Self::LocalStack;
        }
        // DynamoDB Local is the one of them whose web server is Jetty.
        if health.to_ascii_lowercase().contains("server: jetty") { Self::DynamoDbLocal } else { Self::Unknown }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Embedded => "dynoxide in this process",
            Self::LocalStack => "LocalStack",
            Self::DynamoDbLocal => "DynamoDB Local",
            Self::Aws => "Amazon DynamoDB",
            Self::Unknown => "an engine that doesn't say what it is",
        })
    }
}

/// A client by the environment's configuration. An emulator needs credentials and a region, and takes any.
async fn client(endpoint: Option<&str>, made_up: bool) -> Client {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if made_up {
        loader = loader.region(Region::from_static("us-east-1")).credentials_provider(Credentials::new(
            "test",
            "test",
            None,
            None,
            "conformance",
        ));
    }
    // An engine that hangs is a failed check, not a hung run.
    let patience = TimeoutConfig::builder().operation_timeout(Duration::from_secs(60)).build();
    let config = Builder::from(&loader.load().await).timeout_config(patience);
    Client::from_conf(match endpoint {
        Some(endpoint) => config.endpoint_url(endpoint).build(),
        None => config.build(),
    })
}

/// The whole answer to a GET, headers included; `None` where there is none, or where it takes more than plain HTTP to get.
async fn ask(url: &str, path: &str) -> Option<String> {
    let authority = url.strip_prefix("http://")?.split('/').next()?;
    let address = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
    let asking = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    };
    tokio::time::timeout(Duration::from_secs(5), asking).await.ok()?
}
