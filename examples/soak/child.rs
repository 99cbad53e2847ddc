//! A process that the run has started.

use std::ffi::OsStr;
use std::io::Read as _;
use std::process::{Command, ExitStatus, Stdio};

use aws_sdk_dynamodb::error::BoxError;

/// Killed when it is dropped, and gone by itself when this process is: its standard input ends then.
pub(crate) struct Child(std::process::Child);

impl Child {
    /// Starts this very program with other arguments.
    pub(crate) fn start<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Result<Self, BoxError> {
        let program = std::env::current_exe()?;
        Ok(Self(Command::new(program).args(arguments).stdin(Stdio::piped()).spawn()?))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// What it ended with, if it has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, BoxError> {
        Ok(self.0.try_wait()?)
    }

    /// Kills it at once, in the middle of whatever it does.
    pub(crate) fn kill(mut self) -> Result<(), BoxError> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }

    /// Asks it to come to its end.
    pub(crate) fn finish(&mut self) {
        drop(self.0.stdin.take());
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // One that has ended already can't be killed, which is as well.
        let _killed = self.0.kill();
        let _waited = self.0.wait();
    }
}

/// Waits until the parent asks for an end, or is gone.
pub(crate) async fn parent_gone() {
    let (ended, end) = tokio::sync::oneshot::channel();
    // A thread of its own: a read of the runtime's would keep the runtime from ending.
    std::thread::spawn(move || {
        let _read = std::io::stdin().read_to_end(&mut Vec::new());
        let _told = ended.send(());
    });
    let _ended = end.await;
}
