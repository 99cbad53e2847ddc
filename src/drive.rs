//! The one loop that sends attempts until what they were for is settled.
//!
//! What it drives, a write or a transaction of many, says what to send and what follows from an answer; when to send again, and
//! when to end, is the same for both.

use crate::call::{Outgoing, Output, Reply};
use crate::error::{Error, ErrorKind};
use crate::item::RawItem;
use crate::protocol::call::{Outcome, Step};
use crate::protocol::log::WriteId;
use crate::retry::{Retry, Why};
use crate::store::Store;

/// What the loop drives.
pub(crate) trait Driven {
    /// What to send now. The same attempt as before goes out as the same bytes.
    fn outgoing(&mut self) -> Result<&mut Outgoing, Error>;

    /// What an answer comes to that leaves open what counts.
    fn undecided(&self, _: &Reply) -> Option<Reply> {
        None
    }

    /// Draws the conclusion from an answer of the table.
    fn answered(&mut self, answer: Reply) -> Step;

    /// Whether what is sent next is a fence.
    fn is_fencing(&self) -> bool;

    /// The attempt may have been applied, and there is no answer.
    fn unanswered(&mut self);

    /// It is to end, since an error other than a failed condition said so.
    fn fail(&mut self) -> Step;

    /// It is to end, since its attempts got no answer and there are no more.
    fn give_up(&mut self) -> Step;

    /// Takes the id that a [`Step::Renew`] asked for.
    fn renew(&mut self, id: WriteId);

    /// Says which attribute holds an id that none can follow.
    fn no_later_id(&self, above: WriteId) -> Error;
}

/// What the table says to a request that is sent as it is until it is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    Done(Output),
    /// The condition failed, for this item.
    Failed(Option<RawItem>),
}

/// A request that found no answer.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) error: Error,
    /// Whether it may have gone through.
    pub(crate) may_be_applied: bool,
}

/// Sends a request that may be repeated as it is: a read, or a write whose condition tells. The answer comes with whether an earlier attempt
/// may have gone through.
pub(crate) async fn until_answered(
    store: &Store,
    outgoing: &mut Outgoing,
    retry: &mut Retry<'_>,
) -> Result<(Answer, bool), Unanswered> {
    let mut may_be_applied = false;
    loop {
        let (error, again) = match store.caller().send(outgoing, retry).await {
            Reply::Done { output } => return Ok((Answer::Done(output), may_be_applied)),
            Reply::ConditionFailed { item } => return Ok((Answer::Failed(item), may_be_applied)),
            Reply::Cancelled { .. } => (Error::of(ErrorKind::Service), None),
            Reply::NotApplied { error, again } => (error, again),
            Reply::Unanswered { error } | Reply::InProgress { error } => {
                may_be_applied = true;
                (error, Some(Why::Transport))
            }
        };
        let is_over = match again {
            Some(why) => retry.pause(why).await.is_err(),
            None => true,
        };
        if is_over {
            return Err(Unanswered { error, may_be_applied });
        }
    }
}

/// How it went.
pub(crate) struct Course<'t> {
    store: &'t Store,
    pub(crate) retry: Retry<'t>,
    /// What the last attempt that wasn't answered by the table came to.
    pub(crate) failure: Option<Error>,
    /// What ended it, where that wasn't an answer of the table. A fence after it may meet other failures.
    pub(crate) ended_by: Option<Error>,
}

impl<'t> Course<'t> {
    pub(crate) fn new(store: &'t Store, retry: Retry<'t>) -> Self {
        Self { store, retry, failure: None, ended_by: None }
    }

    /// Drives it from this step on.
    pub(crate) async fn drive(&mut self, driven: &mut impl Driven, mut step: Step) -> Outcome {
        loop {
            step = match step {
                Step::Send => self.attempt(driven).await,
                Step::Renew { above } => match self.store.write_id(above) {
                    Some(id) => {
                        driven.renew(id);
                        self.attempt(driven).await
                    }
                    None => {
                        self.failure = Some(driven.no_later_id(above));
                        driven.give_up()
                    }
                },
                Step::Settled(outcome) => return outcome,
            };
        }
    }

    /// Sends one attempt and takes in its reply.
    async fn attempt(&mut self, driven: &mut impl Driven) -> Step {
        let outgoing = match driven.outgoing() {
            Ok(outgoing) => outgoing,
            Err(error) => return self.fail(driven, error),
        };
        let reply = self.store.caller().send(outgoing, &mut self.retry).await;
        match driven.undecided(&reply).unwrap_or(reply) {
            done @ Reply::Done { .. } => driven.answered(done),
            failed @ (Reply::ConditionFailed { .. } | Reply::Cancelled { .. }) => {
                let was_fencing = driven.is_fencing();
                let step = driven.answered(failed);
                let first_fence = driven.is_fencing() && !was_fencing;
                if matches!(step, Step::Settled(_)) || first_fence {
                    return step;
                }
                match self.retry.step_aside() {
                    Ok(()) => step,
                    Err(_) => self.fail(driven, Error::of(ErrorKind::Contention)),
                }
            }
            Reply::NotApplied { error, again } => match again {
                Some(why) if self.retry.pause(why).await.is_ok() => {
                    self.failure = Some(error);
                    Step::Send
                }
                _ => self.fail(driven, error),
            },
            Reply::Unanswered { error } => self.unanswered(driven, error, Why::Transport).await,
            Reply::InProgress { error } => self.unanswered(driven, error, Why::InProgress).await,
        }
    }

    async fn unanswered(&mut self, driven: &mut impl Driven, error: Error, why: Why) -> Step {
        self.failure = Some(error);
        driven.unanswered();
        match self.retry.pause(why).await {
            Ok(()) => Step::Send,
            Err(_) => driven.give_up(),
        }
    }

    fn fail(&mut self, driven: &mut impl Driven, error: Error) -> Step {
        let slot = if driven.is_fencing() { &mut self.failure } else { &mut self.ended_by };
        *slot = Some(error);
        driven.fail()
    }
}
