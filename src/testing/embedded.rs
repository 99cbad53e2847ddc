//! `Embedded`: a DynamoDB engine in this process.

use std::fmt;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::thread::{self, JoinHandle};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Builder, SharedHttpClient};
use dynoxide::Database;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::oneshot;

use super::config;
use super::engine::Direct;

/// A DynamoDB engine in this process ([dynoxide](https://docs.rs/dynoxide-rs), in memory), for tests and examples.
///
/// Requests of [`client`](Self::client) and [`config`](Self::config) reach it without a socket: that is fast, needs no
/// particular runtime, and works under tokio's paused clock. For other programs, and for clients that are to use a real
/// connection, [`endpoint`](Self::endpoint) opens a port. Each engine has its own tables, which end with it.
///
/// # Examples
///
/// ```
/// use aws_sdk_dynamodb::types::{
///     AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
/// };
/// use dynamo_once::testing::Embedded;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Embedded::start().await;
/// let client = engine.client();
/// let id = AttributeDefinition::builder().attribute_name("id").attribute_type(ScalarAttributeType::S).build()?;
/// let key = KeySchemaElement::builder().attribute_name("id").key_type(KeyType::Hash).build()?;
/// client
///     .create_table()
///     .table_name("accounts")
///     .attribute_definitions(id)
///     .key_schema(key)
///     .billing_mode(BillingMode::PayPerRequest)
///     .send()
///     .await?;
/// assert_eq!(client.list_tables().send().await?.table_names(), ["accounts"]);
/// # Ok(())
/// # }
/// ```
pub struct Embedded {
    database: Database,
    server: OnceLock<Server>,
}

impl Embedded {
    /// Starts an empty engine.
    ///
    /// # Panics
    ///
    /// If SQLite can't open a database in memory.
    pub async fn start() -> Self {
        let database = Database::memory().expect("SQLite opens a database in memory");
        Self { database, server: OnceLock::new() }
    }

    /// A client of this engine with the SDK's defaults.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::from_conf(self.config().build())
    }

    /// A configuration for clients of this engine: made-up credentials, the SDK's defaults otherwise.
    #[must_use]
    pub fn config(&self) -> Builder {
        config::offline(self.http_client())
    }

    /// The HTTP client that reaches this engine without a socket, for [`Faults::around`](super::Faults::around).
    #[must_use]
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(Direct::new(self.database.clone()))
    }

    /// The URL under which the engine listens on this machine, as in `http://127.0.0.1:49152`.
    ///
    /// The first call opens a free port and starts a thread that serves it, until the engine is dropped. Any
    /// credentials and any region will do.
    ///
    /// # Panics
    ///
    /// If the machine has no free port or can start no thread.
    pub fn endpoint(&self) -> &str {
        &self.server.get_or_init(|| Server::start(self.database.clone())).endpoint
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.server.get().map(|server| &server.endpoint);
        f.debug_struct("Embedded").field("endpoint", &endpoint).finish_non_exhaustive()
    }
}

/// The engine's own HTTP server, on a thread and a runtime of its own: the caller's runtime may be of either flavour,
/// have its clock paused, or be blocked.
struct Server {
    endpoint: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    fn start(database: Database) -> Self {
        let listener = std::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        listener.set_nonblocking(true).expect("a new socket can be made non-blocking");

        let runtime = runtime::Builder::new_current_thread().enable_io().build().expect("a runtime can be made");
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = move || {
            let served = runtime.block_on(async {
                let listener = TcpListener::from_std(listener).map_err(|error| error.to_string())?;
                let serve = dynoxide::server::serve_with_shutdown(listener, database, std::future::pending());
                tokio::select! {
                    // At once: a graceful end would wait for the connections that clients keep open.
                    _ = stopped => Ok(()),
                    served = serve => served,
                }
            });
            if let Err(error) = served {
                tracing::error!(error, "the embedded engine's server ended");
            }
        };
        let thread = thread::Builder::new().name("dynamo-once-embedded".to_owned()).spawn(serve);
        let thread = thread.expect("a thread can be started");
        Self { endpoint: format!("http://{address}"), stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the server's thread has been printed; there is nothing to add.
            let _ended = thread.join();
        }
    }
}
