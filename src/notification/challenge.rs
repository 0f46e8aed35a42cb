//! The client challenge of one session: when it is asked, until when it must be answered.

use crate::{
    config::{Challenge, ChallengePolicy},
    protocol::challenge::{CHALLENGE_DIGITS, answer, digits},
};
use std::time::Duration;
use tokio::time::Instant;

/// Where a session stands.
#[derive(Debug, Default)]
pub(super) enum Challenged {
    /// Not yet: before the first `CHG`.
    #[default]
    Never,
    /// Asked so many times, not answered.
    Asked { challenge: Box<str>, answer_by: Instant, times: u32 },
    /// Answered; asked again then. Who was asked more than once may answer as often.
    Answered { again_at: Instant, challenge: Box<str>, answers_left: u32 },
}

impl Challenged {
    /// Asks now and returns the challenge. While one is outstanding the same one is asked again:
    /// its answers are as good as each other, and asking does not buy time.
    pub(super) fn ask(
        &mut self,
        config: &Challenge,
        now: Instant,
    ) -> Result<String, getrandom::Error> {
        if let Self::Asked { challenge, times, .. } = self {
            *times = times.saturating_add(1);
            return Ok(challenge.to_string());
        }
        let mut random = [0; CHALLENGE_DIGITS];
        getrandom::fill(&mut random)?;
        let challenge = digits(&random);
        let answer_by = now + Duration::from_secs(config.answer_secs);
        *self = Self::Asked { challenge: challenge.clone().into(), answer_by, times: 1 };
        Ok(challenge)
    }

    /// Takes an answer: whether it is right.
    pub(super) fn take_answer(
        &mut self,
        config: &Challenge,
        client_id: &[u8],
        given: &[u8],
        now: Instant,
    ) -> bool {
        let is_right = |challenge: &str| {
            let client = config.clients.iter().find(|known| known.id.as_bytes() == client_id);
            client.is_some_and(|client| answer(challenge, &client.key).as_bytes() == given)
        };
        match self {
            Self::Never | Self::Answered { answers_left: 0, .. } => false,
            Self::Answered { challenge, answers_left, .. } => {
                *answers_left -= 1;
                is_right(challenge)
            }
            Self::Asked { challenge, times, .. } => {
                let is_right = is_right(challenge);
                let (challenge, answers_left) = (std::mem::take(challenge), *times - 1);
                let again_at = again_at(config, now);
                *self = Self::Answered { again_at, challenge, answers_left };
                is_right
            }
        }
    }

    /// Nothing is outstanding any more, and nothing that was asked is good any more.
    pub(super) fn settle(&mut self, config: &Challenge, now: Instant) {
        let again_at = again_at(config, now);
        *self = Self::Answered { again_at, challenge: Box::default(), answers_left: 0 };
    }

    /// Whether an answer is due.
    pub(super) const fn is_outstanding(&self) -> bool {
        matches!(self, Self::Asked { .. })
    }

    /// When something has to happen.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Never => None,
            Self::Asked { answer_by, .. } => Some(*answer_by),
            Self::Answered { again_at, .. } => Some(*again_at),
        }
    }
}

fn again_at(config: &Challenge, now: Instant) -> Instant {
    now + Duration::from_secs(config.repeat_secs)
}

/// Whether a wrong or missing answer ends the connection.
pub(super) fn is_enforced(config: &Challenge) -> bool {
    config.policy == ChallengePolicy::Enforce
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn asking_again_neither_buys_time_nor_spoils_an_answer() {
        let config = Challenge::default();
        let client = &config.clients[0];
        let mut challenged = Challenged::default();
        let start = Instant::now();
        let first = challenged.ask(&config, start).unwrap();
        let answer_by = challenged.deadline();
        let again = challenged.ask(&config, start + Duration::from_secs(40)).unwrap();
        assert_eq!(again, first);
        assert_eq!(challenged.deadline(), answer_by);
        let given = answer(&first, &client.key);
        let mut take = |given: &str| {
            challenged.take_answer(&config, client.id.as_bytes(), given.as_bytes(), start)
        };
        assert!(take(&given) && take(&given));
        assert!(!take(&given), "nothing is outstanding any more");
        let next = challenged.ask(&config, start).unwrap();
        assert_ne!(next, first);
    }
}
