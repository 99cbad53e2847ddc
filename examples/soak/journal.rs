//! The journal of a client process: a file with a line before each call and a line after it, so that a killed client's calls
//! are known too.

use std::collections::btree_map::Entry;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::error::BoxError;
use serde::{Deserialize, Serialize};

use crate::history::{Call, History, Moment, Plan, Token, Told};

#[derive(Debug, Serialize, Deserialize)]
enum Line {
    Begins {
        token: Token,
        plan: Plan,
        at: Moment,
    },
    IsTold {
        token: Token,
        told: Told,
        at: Moment,
    },
    /// How many requests the process has sent so far, and how many of them met a fault.
    Sent(Sent),
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) requests: usize,
    pub(crate) faults: usize,
}

#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    client: u32,
    calls: AtomicU32,
}

/// A journal as the parent reads it, while it is written.
#[derive(Debug)]
pub(crate) struct Reader {
    file: BufReader<File>,
    /// The beginning of a line whose end isn't there yet.
    line: String,
    pub(crate) sent: Sent,
}

impl Journal {
    pub(crate) fn create(path: &Path, client: u32) -> Result<Self, BoxError> {
        Ok(Self { file: File::options().append(true).create(true).open(path)?, client, calls: AtomicU32::new(0) })
    }

    /// Runs a call.
    pub(crate) async fn call<F: Future<Output = Told>>(
        &self,
        plan: &Plan,
        run: impl FnOnce(Token) -> F,
    ) -> Result<Told, BoxError> {
        let token = Token { client: self.client, call: self.calls.fetch_add(1, Ordering::Relaxed) };
        self.write(&Line::Begins { token, plan: plan.clone(), at: now() })?;
        let told = run(token).await;
        self.write(&Line::IsTold { token, told, at: now() })?;
        Ok(told)
    }

    pub(crate) fn sent(&self, sent: Sent) -> Result<(), BoxError> {
        self.write(&Line::Sent(sent))
    }

    /// In one piece, and at once: what has been written outlives the process.
    fn write(&self, line: &Line) -> Result<(), BoxError> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        Ok((&self.file).write_all(&text)?)
    }
}

impl Reader {
    /// Of a journal that may not have been begun.
    pub(crate) fn open(path: &Path) -> Result<Self, BoxError> {
        let file = File::options().read(true).append(true).create(true).open(path)?;
        Ok(Self { file: BufReader::new(file), line: String::new(), sent: Sent::default() })
    }

    /// Reads what has been added.
    pub(crate) fn read(&mut self, history: &mut History) -> Result<(), BoxError> {
        while self.file.read_line(&mut self.line)? > 0 && self.line.ends_with('\n') {
            match serde_json::from_str(&self.line)? {
                Line::Sent(sent) => self.sent = sent,
                Line::Begins { token, plan, at } => {
                    history.calls.insert(token, Call { plan, began: at, told: None });
                }
                Line::IsTold { token, told, at } => match history.calls.entry(token) {
                    Entry::Occupied(mut call) => call.get_mut().told = Some((told, at)),
                    Entry::Vacant(_) => return Err(format!("{token} was told something before it began").into()),
                },
            }
            self.line.clear();
        }
        Ok(())
    }
}

/// The machine's clock. Where it is set back during a run, the checker finds what isn't there.
#[expect(clippy::disallowed_methods, reason = "the processes of a run have no other clock in common")]
pub(crate) fn now() -> Moment {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as Moment)
}
