//! The engine process: dynoxide's own HTTP server over a database in a file, which outlives it.

use std::net::Ipv4Addr;
use std::path::Path;

use aws_sdk_dynamodb::error::BoxError;
use dynoxide::Database;
use tokio::net::TcpListener;

use crate::child::parent_gone;

/// Serves until it is killed, or its parent is gone.
pub(crate) async fn serve(port: u16, file: &Path) -> Result<(), BoxError> {
    let database = Database::new(file.to_str().ok_or("the path of the database is no text")?)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    tokio::select! {
        served = dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()) => Ok(served?),
        () = parent_gone() => Ok(()),
    }
}
