//! A circuit breaker: a provider that failed a moment ago is not asked, so that jobs for one provider take no time from jobs for
//! another.
//!
//! Its state is in the memory of one execution environment: each learns for itself, and a new one knows nothing. Commands have few
//! environments, so this costs a few requests more; in return no request needs a call to a store first.

use super::{ApiError, Cause};
use std::{
    future::Future,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// After so many failures in a row a provider is not asked for some time.
const FAILURES: u32 = 5;

/// The first rest. Without a success in between each further one is twice as long, up to [`LONGEST_REST`].
const REST: Duration = Duration::from_secs(15);

/// The longest rest, unless the provider asks for a longer one. Jobs that wait come back with a sweep, and sweeps are a minute apart.
const LONGEST_REST: Duration = Duration::from_secs(60);

/// How long to wait while another request finds out whether the provider has recovered.
const WHILE_ANOTHER_ASKS: Duration = Duration::from_secs(5);

/// Decides whether a provider may be asked.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How many failures in a row.
    failures: u32,
    /// No request is sent before this. After it a single request goes first, until it has its answer.
    rest_until: Option<Instant>,
    /// Since when that single request has been on its way.
    probe_since: Option<Instant>,
}

impl Breaker {
    /// Sends a request if the provider may be asked, and learns from the answer.
    pub(crate) async fn guard<T>(&self, asked: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
        self.admit(Instant::now())?;
        let answer = asked.await;
        self.learn(answer.as_ref().err(), Instant::now());
        answer
    }

    fn admit(&self, now: Instant) -> Result<(), ApiError> {
        let mut state = self.state();
        let Some(rest_until) = state.rest_until else { return Ok(()) };
        let resting = |wait| Err(ApiError::Later { cause: Cause::Resting, wait: Some(wait) });
        if now < rest_until {
            return resting(rest_until - now);
        }
        // A request that was cancelled midway never reports its result.
        if state.probe_since.is_some_and(|since| now < since + LONGEST_REST) {
            return resting(WHILE_ANOTHER_ASKS);
        }
        state.probe_since = Some(now);
        Ok(())
    }

    fn learn(&self, error: Option<&ApiError>, now: Instant) {
        let mut state = self.state();
        let failed = match error {
            Some(ApiError::Later { cause, wait }) if cause.is_passing() => Some(*wait),
            _ => None,
        };
        let Some(asked_wait) = failed else {
            *state = State::default();
            return;
        };
        state.failures = state.failures.saturating_add(1);
        state.probe_since = None;
        let doublings = state.failures.saturating_sub(FAILURES) / FAILURES;
        let rest = REST.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX)).min(LONGEST_REST);
        let rest = if state.failures >= FAILURES { rest } else { Duration::ZERO };
        let rest = rest.max(asked_wait.unwrap_or_default());
        if !rest.is_zero() {
            state.rest_until = state.rest_until.max(Some(now + rest));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Refusal;
    use super::*;
    use std::{
        future::ready,
        sync::atomic::{AtomicU32, Ordering},
    };
    use tokio::time::advance;

    /// A provider, and how often it was asked.
    #[derive(Default)]
    struct Asked(Breaker, AtomicU32);

    impl Asked {
        async fn answering(&self, answer: Result<(), ApiError>) -> Result<(), ApiError> {
            self.0
                .guard(async {
                    self.1.fetch_add(1, Ordering::Relaxed);
                    answer
                })
                .await
        }

        fn times(&self) -> u32 {
            self.1.swap(0, Ordering::Relaxed)
        }
    }

    fn resting(answer: Result<(), ApiError>) -> Option<u64> {
        match answer {
            Err(ApiError::Later { cause: Cause::Resting, wait }) => wait.map(|wait| wait.as_secs()),
            _ => None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_fails_again_and_again_is_left_alone_and_then_asked_once() {
        let provider = Asked::default();
        let failing = || Err(ApiError::later(Cause::TimedOut));
        for _ in 0..FAILURES {
            assert_eq!(provider.answering(failing()).await, failing());
        }
        assert_eq!(provider.times(), FAILURES);
        for _ in 0..1000 {
            assert_eq!(resting(provider.answering(Ok(())).await), Some(15));
        }
        assert_eq!(provider.times(), 0, "nobody asks while it rests");
        advance(REST).await;
        let (probe, others) = tokio::join!(
            provider.0.guard(async {
                tokio::time::sleep(Duration::from_secs(3)).await;
                Ok(())
            }),
            provider.answering(Ok(())),
        );
        assert_eq!((probe, resting(others)), (Ok(()), Some(5)), "one finds out, the others wait for that");
        assert_eq!(provider.answering(Ok(())).await, Ok(()), "and it is back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_stays_away_is_asked_ever_more_rarely() {
        let provider = Asked::default();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(3600) {
            let wait = match provider.answering(Err(ApiError::later(Cause::Failing))).await {
                Err(ApiError::Later { wait: Some(wait), .. }) => wait,
                _ => Duration::from_millis(10),
            };
            advance(wait).await;
        }
        let times = provider.times();
        assert!((60..=100).contains(&times), "asked {times} times in an hour");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_asked_for_is_kept_for_all_questions() {
        let provider = Asked::default();
        let busy = Err(ApiError::Later { cause: Cause::Busy, wait: Some(Duration::from_secs(600)) });
        assert_eq!(provider.answering(busy).await, busy);
        assert_eq!(resting(provider.answering(Ok(())).await), Some(600));
        advance(Duration::from_secs(600)).await;
        assert_eq!(provider.answering(Ok(())).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_failure_of_the_provider_gives_it_no_rest() {
        let provider = Asked::default();
        let answers = [Ok(()), Err(Refusal::NotFound.into()), Err(ApiError::later(Cause::KeyRefused))];
        for n in 0..100 {
            let failed = Err(ApiError::later(Cause::Failing));
            let answer = if n % 5 == 4 { answers[n % 3] } else { failed };
            assert_eq!(provider.answering(answer).await, answer, "after {n}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_is_given_up_midway_does_not_close_the_door() {
        let provider = Asked::default();
        for _ in 0..FAILURES {
            let _ = provider.answering(Err(ApiError::later(Cause::Failing))).await;
        }
        advance(REST).await;
        let hanging = provider.0.guard(std::future::pending::<Result<(), ApiError>>());
        assert!(tokio::time::timeout(Duration::from_secs(1), hanging).await.is_err());
        assert_eq!(resting(provider.answering(Ok(())).await), Some(5));
        advance(LONGEST_REST).await;
        assert_eq!(provider.0.guard(ready(Ok::<_, ApiError>(()))).await, Ok(()));
    }
}
