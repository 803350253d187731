//! How long we wait for a provider, and how often we try.

use super::ApiError;
use std::{future::Future, time::Duration};
use tokio::time::{Instant, sleep, timeout_at};

/// How long we wait for a provider, and how often we try.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Limit for a connection.
    pub connect: Duration,
    /// Limit for one attempt; for a download, until its first byte.
    pub attempt: Duration,
    /// Limit for all attempts and the pauses between them.
    pub total: Duration,
    /// The number of attempts, including the first.
    pub attempts: u32,
    /// The first pause between two attempts, if the provider asks for none. Each further pause is twice as long.
    pub pause: Duration,
    /// The longest pause within one job. If the provider asks for a longer one, a later command asks again.
    pub longest_pause: Duration,
    /// Limit for the next bytes of a download.
    pub stall: Duration,
}

impl Patience {
    /// For downloads. A command may take some minutes.
    pub const DEFAULT: Self = Self {
        connect: Duration::from_secs(3),
        attempt: Duration::from_secs(15),
        total: Duration::from_secs(40),
        attempts: 3,
        pause: Duration::from_millis(250),
        longest_pause: Duration::from_secs(5),
        stall: Duration::from_secs(20),
    };

    /// The same for API requests, which are answered within a second or not at all. A job that waits for one holds up nine others.
    #[must_use]
    pub fn for_questions(self) -> Self {
        let (attempt, total) = (Duration::from_secs(5), Duration::from_secs(8));
        Self { attempt: self.attempt.min(attempt), total: self.total.min(total), ..self }
    }

    /// Tries until there is an answer, an error that will not pass within seconds, or no time left. Returns the last error.
    pub(crate) async fn with<T, F: Future<Output = Result<T, ApiError>>>(
        &self,
        attempt: impl Fn() -> F,
    ) -> Result<T, ApiError> {
        let deadline = Instant::now() + self.total;
        let mut pause = self.pause;
        for left in (0..self.attempts.max(1)).rev() {
            let until = deadline.min(Instant::now() + self.attempt);
            let error = match timeout_at(until, attempt()).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error,
                Err(_) => ApiError::later(super::Cause::TimedOut),
            };
            let ApiError::Later { cause, wait } = error else { return Err(error) };
            let wait = wait.unwrap_or(pause);
            let is_worth_it = left > 0 && cause.is_passing() && wait <= self.longest_pause;
            if !is_worth_it || Instant::now() + wait >= deadline {
                return Err(error);
            }
            sleep(wait).await;
            pause *= 2;
        }
        Err(ApiError::later(super::Cause::TimedOut))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Cause, Refusal};
    use super::*;
    use std::sync::Mutex;

    /// Plays a script of answers, and says how it ended, after how many attempts and how long.
    async fn play(script: Vec<Result<u8, ApiError>>) -> (Result<u8, ApiError>, usize, Duration) {
        let begun = Instant::now();
        let made = Mutex::new(0);
        let answer = Patience::DEFAULT
            .with(|| {
                let mut made = made.lock().unwrap();
                let answer = script.get(*made).copied().unwrap_or(Ok(0));
                *made += 1;
                async move { answer }
            })
            .await;
        let made = *made.lock().unwrap();
        (answer, made, begun.elapsed())
    }

    fn asked(seconds: u64) -> ApiError {
        ApiError::Later { cause: Cause::Busy, wait: Some(Duration::from_secs(seconds)) }
    }

    #[tokio::test(start_paused = true)]
    async fn what_passes_is_tried_again_a_bounded_number_of_times() {
        let failing = || Err(ApiError::later(Cause::Failing));
        assert_eq!(play(vec![failing(), Ok(7)]).await, (Ok(7), 2, Duration::from_millis(250)));
        assert_eq!(play(vec![failing(); 9]).await, (failing(), 3, Duration::from_millis(750)));
        for error in [
            ApiError::Never(Refusal::Gone),
            ApiError::later(Cause::KeyRefused),
            ApiError::later(Cause::Unreadable),
            ApiError::later(Cause::UrlRefused),
        ] {
            assert_eq!(play(vec![Err(error); 9]).await, (Err(error), 1, Duration::ZERO), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_was_asked_for_is_kept_here_or_handed_on() {
        assert_eq!(play(vec![Err(asked(4)), Ok(7)]).await, (Ok(7), 2, Duration::from_secs(4)));
        assert_eq!(play(vec![Err(asked(0)), Ok(7)]).await, (Ok(7), 2, Duration::ZERO));
        assert_eq!(play(vec![Err(asked(6)), Ok(7)]).await, (Err(asked(6)), 1, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_hangs_is_given_up_within_seconds() {
        let begun = Instant::now();
        let patience = Patience::DEFAULT.for_questions();
        let answer = patience.with(std::future::pending::<Result<u8, ApiError>>).await;
        assert_eq!((answer, begun.elapsed()), (Err(ApiError::later(Cause::TimedOut)), Duration::from_secs(8)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_hangs_is_given_up_and_so_are_all_of_them_in_the_end() {
        let begun = Instant::now();
        let answer = Patience::DEFAULT.with(std::future::pending::<Result<u8, ApiError>>).await;
        assert_eq!(answer, Err(ApiError::later(Cause::TimedOut)));
        assert_eq!(begun.elapsed(), Patience::DEFAULT.total);
    }
}
