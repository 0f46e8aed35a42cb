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
    /// Asked, not answered.
    Asked { challenge: Box<str>, answer_by: Instant },
    /// Nothing outstanding; asked again then.
    Answered { again_at: Instant },
}

impl Challenged {
    /// Asks now and returns the challenge.
    pub(super) fn ask(
        &mut self,
        config: &Challenge,
        now: Instant,
    ) -> Result<String, getrandom::Error> {
        let mut random = [0; CHALLENGE_DIGITS];
        getrandom::fill(&mut random)?;
        let challenge = digits(&random);
        let answer_by = now + Duration::from_secs(config.answer_secs);
        *self = Self::Asked { challenge: challenge.clone().into(), answer_by };
        Ok(challenge)
    }

    /// Takes an answer: whether it is right. Whatever it is, nothing is outstanding afterwards.
    pub(super) fn take_answer(
        &mut self,
        config: &Challenge,
        client_id: &[u8],
        given: &[u8],
        now: Instant,
    ) -> bool {
        let is_right = match self {
            Self::Asked { challenge, .. } => {
                let client = config.clients.iter().find(|known| known.id.as_bytes() == client_id);
                client.is_some_and(|client| answer(challenge, &client.key).as_bytes() == given)
            }
            Self::Never | Self::Answered { .. } => false,
        };
        self.settle(config, now);
        is_right
    }

    /// Nothing is outstanding any more.
    pub(super) fn settle(&mut self, config: &Challenge, now: Instant) {
        *self = Self::Answered { again_at: now + Duration::from_secs(config.repeat_secs) };
    }

    /// When something has to happen.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Never => None,
            Self::Asked { answer_by, .. } => Some(*answer_by),
            Self::Answered { again_at } => Some(*again_at),
        }
    }
}

/// Whether a wrong or missing answer ends the connection.
pub(super) fn is_enforced(config: &Challenge) -> bool {
    config.policy == ChallengePolicy::Enforce
}
