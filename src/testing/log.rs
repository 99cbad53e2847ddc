//! The log: what became of each request, on both sides.

use std::fmt;

use super::{Fault, Operation};

/// What became of each request, in the order in which the client sent them.
///
/// Its `Display` has one line per request: number, operation, fault, what the table did, and what the caller saw.
///
/// ```text
/// #1 PutItem     lost reply           table: 200                                  caller: connection broken
/// #2 PutItem     -                    table: 400 ConditionalCheckFailedException  caller: 400 ConditionalCheckFailedException
/// ```
#[derive(Debug, Clone, Default)]
pub struct Log {
    entries: Vec<Entry>,
}

impl Log {
    /// The requests so far.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Notes a request and gives it its number, from 1.
    pub(super) fn admit(&mut self, operation: Operation, fault: Option<Fault>) -> usize {
        let number = self.entries.len() + 1;
        self.entries.push(Entry { number, operation, fault, answers: Vec::new(), outcome: None });
        number
    }

    /// Notes that the table answered request `number`.
    pub(super) fn answered(&mut self, number: usize, answer: &str) {
        let last = self.entries.len();
        let Some(entry) = self.entry(number) else { return };
        // The caller has long been served or has given up: say after which request the table did this.
        let late = if entry.outcome.is_some() { format!(" (late, after #{last})") } else { String::new() };
        entry.answers.push(format!("{answer}{late}"));
    }

    /// Notes what the caller of request `number` got.
    pub(super) fn concluded(&mut self, number: usize, outcome: String) {
        if let Some(entry) = self.entry(number) {
            entry.outcome = Some(outcome);
        }
    }

    fn entry(&mut self, number: usize) -> Option<&mut Entry> {
        self.entries.get_mut(number.checked_sub(1)?)
    }
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |text: fn(&Entry) -> String| self.entries.iter().map(|entry| text(entry).len()).max().unwrap_or(0);
        let number = width(|entry| entry.number.to_string());
        let operation = width(|entry| entry.operation.to_string());
        let fault = width(Entry::fault_column);
        let table = width(Entry::table_column);
        for entry in &self.entries {
            writeln!(
                f,
                "#{:<number$}  {:<operation$}  {:<fault$}  table: {:<table$}  caller: {}",
                entry.number,
                entry.operation,
                entry.fault_column(),
                entry.table_column(),
                entry.outcome()
            )?;
        }
        Ok(())
    }
}

/// What became of one request.
#[derive(Debug, Clone)]
pub struct Entry {
    number: usize,
    operation: Operation,
    fault: Option<Fault>,
    answers: Vec<String>,
    outcome: Option<String>,
}

impl Entry {
    /// Which request this is, from 1.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// The operation that was asked for.
    #[must_use]
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// The fault that it met.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// What the table answered each time it executed the request: `200`, or `400 ConditionalCheckFailedException`.
    /// One that came after the caller was served says so: `200 (late, after #2)`. Empty if the request never reached
    /// the table.
    #[must_use]
    pub fn answers(&self) -> &[String] {
        &self.answers
    }

    /// What the caller saw: an answer like those of the table, `connection broken`, or that it `gave up` waiting.
    #[must_use]
    pub fn outcome(&self) -> &str {
        self.outcome.as_deref().unwrap_or("waiting")
    }

    fn fault_column(&self) -> String {
        self.fault.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)
    }

    fn table_column(&self) -> String {
        if self.answers.is_empty() { "not reached".to_owned() } else { self.answers.join(", ") }
    }
}
