//! Scripted faults: which request meets which fault.

use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpRequest;

use super::{Fault, Faults, Operation, Request};

/// Says which requests meet a fault; made by [`Faults::on`] and finished by [`inject`](Self::inject).
///
/// Without more words it is the next such request.
#[must_use = "nothing is injected before `inject`"]
pub struct On<'a> {
    faults: &'a Faults,
    selector: Selector,
}

impl<'a> On<'a> {
    pub(super) fn new(faults: &'a Faults, operation: Option<Operation>) -> Self {
        Self { faults, selector: Selector { operation, condition: None, skip: 0, left: Some(1) } }
    }

    /// The n-th such request from now on. The first is 1, and so is 0.
    pub fn nth(mut self, n: usize) -> Self {
        self.selector.skip = n.saturating_sub(1);
        self
    }

    /// This many such requests in a row.
    pub fn times(mut self, times: usize) -> Self {
        self.selector.left = Some(times);
        self
    }

    /// Every such request, until [`Faults::stop`].
    pub fn always(mut self) -> Self {
        self.selector.left = None;
        self
    }

    /// Only requests that `condition` holds for; others aren't counted.
    ///
    /// The condition must not use the `Faults` that asks it.
    pub fn when(mut self, condition: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        self.selector.condition = Some(Box::new(condition));
        self
    }

    /// Lets these requests meet `fault`.
    pub fn inject(self, fault: Fault) {
        self.faults.add(Rule { selector: self.selector, fault });
    }
}

impl fmt::Debug for On<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("On").field(&self.selector).finish()
    }
}

/// The rules, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Script {
    rules: Vec<Rule>,
}

impl Script {
    pub(super) fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// The fault for a request, of the first rule whose turn it is. Every rule counts the request; one whose turn it is
    /// as well keeps its turn for the next.
    pub(super) fn fault(&mut self, operation: &Operation, request: &HttpRequest) -> Option<Fault> {
        let mut fault = None;
        for Rule { selector, fault: injected } in &mut self.rules {
            if !selector.matches(operation, request) {
                continue;
            }
            if selector.skip > 0 {
                selector.skip -= 1;
            } else if fault.is_none() && selector.left != Some(0) {
                selector.left = selector.left.map(|left| left - 1);
                fault = Some(injected.clone());
            }
        }
        fault
    }
}

/// One line of the script.
#[derive(Debug)]
pub(super) struct Rule {
    selector: Selector,
    fault: Fault,
}

struct Selector {
    operation: Option<Operation>,
    condition: Option<Condition>,
    /// How many matching requests still pass unharmed.
    skip: usize,
    /// How many are hit after those; `None`: all.
    left: Option<usize>,
}

type Condition = Box<dyn Fn(&Request) -> bool + Send + Sync>;

impl Selector {
    fn matches(&self, operation: &Operation, request: &HttpRequest) -> bool {
        self.operation.as_ref().is_none_or(|wanted| wanted == operation)
            && self.condition.as_ref().is_none_or(|condition| condition(&Request::of(request)))
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, condition, skip, left } = self;
        let condition = condition.as_ref().map(|_| "..");
        f.debug_struct("Selector")
            .field("operation", operation)
            .field("condition", &condition)
            .field("skip", skip)
            .field("left", left)
            .finish()
    }
}
