//! What counts of a password, what verifying costs, and what waits for it.

use super::*;
use std::task::Poll;

fn password(text: &str) -> Password {
    Password::new(text).unwrap()
}

fn candidates(texts: &[&str]) -> Vec<Candidate> {
    texts.iter().map(|text| Candidate::new(text.as_bytes())).collect()
}

#[test]
fn registration_names_the_broken_rule() {
    for (text, error) in [
        ("", PasswordError::Empty),
        ("gehe\u{fc}m", PasswordError::Character),
        ("tab\there", PasswordError::Character),
        ("\u{7f}", PasswordError::Character),
        (&*"x".repeat(65), PasswordError::TooLong),
    ] {
        assert_eq!(Password::new(text).unwrap_err(), error);
    }
    for text in [" ", "~", "x", &"x".repeat(64)] {
        assert!(Password::new(text).is_ok());
    }
}

#[tokio::test]
async fn only_the_first_sixteen_characters_count() {
    let hasher = PasswordHasher::new(Cost::Cheap, 1, 1);
    let hash = hasher.hash(&password("0123456789abcdefXYZ")).await.unwrap();
    for (presented, matches) in [
        ("0123456789abcdef", true),
        ("0123456789abcdefXYZ", true),
        ("0123456789abcdef and more", true),
        ("0123456789abcdef\u{e9}", true),
        ("0123456789abcde", false),
        ("0123456789abcdeF", false),
        ("", false),
    ] {
        let verdict = hasher.verify_any(Some(&hash), candidates(&[presented])).await;
        assert_eq!(verdict, Ok(matches), "{presented}");
    }
}

#[tokio::test]
async fn any_candidate_may_be_the_right_one() {
    let hasher = PasswordHasher::new(Cost::Cheap, 1, 1);
    let hash = hasher.hash_now(&password("a%41")).unwrap();
    assert_eq!(hasher.verify_any(Some(&hash), candidates(&["aA", "a%41"])).await, Ok(true));
    assert_eq!(hasher.verify_any(Some(&hash), candidates(&["aA", "b"])).await, Ok(false));
    let late = ["1", "2", "3", "4", "a%41"];
    assert_eq!(hasher.verify_any(Some(&hash), candidates(&late)).await, Ok(false));
}

#[tokio::test]
async fn a_missing_account_costs_what_a_wrong_password_costs() {
    for cost in [Cost::Cheap, Cost::Standard] {
        let hasher = PasswordHasher::new(cost, 1, 1);
        let stored = hasher.hash_now(&password("right")).unwrap();
        let known = PhcNumbers::of(stored.0.expose_secret());
        assert_eq!(PhcNumbers::of(hasher.core.decoy.0.expose_secret()), known);

        let before = hasher.hashes_total();
        let wrong = candidates(&["wrong", "wronger"]);
        assert_eq!(hasher.verify_any(Some(&stored), wrong.clone()).await, Ok(false));
        let after_wrong = hasher.hashes_total();
        assert_eq!(hasher.verify_any(None, wrong).await, Ok(false));
        assert_eq!(hasher.hashes_total() - after_wrong, after_wrong - before);
        assert_eq!(hasher.verify_any(None, Vec::new()).await, Ok(false));
        assert_eq!(hasher.hashes_total() - after_wrong, 3);
    }
}

#[derive(Debug, PartialEq)]
struct PhcNumbers(Vec<String>, Vec<usize>);

impl PhcNumbers {
    /// Everything that decides how long a verification takes: the cost and all lengths.
    fn of(phc: &str) -> Self {
        let fields: Vec<_> = phc.split('$').collect();
        Self(
            fields[..4].iter().map(ToString::to_string).collect(),
            fields.iter().map(|field| field.len()).collect(),
        )
    }
}

#[tokio::test]
async fn the_cost_travels_in_the_hash() {
    let cheap = PasswordHasher::new(Cost::Cheap, 1, 1);
    let standard = PasswordHasher::new(Cost::Standard, 1, 1);
    let hash = cheap.hash_now(&password("right")).unwrap();
    assert!(hash.0.expose_secret().starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
    assert_eq!(standard.verify_any(Some(&hash), candidates(&["right"])).await, Ok(true));
    let hash = standard.hash_now(&password("right")).unwrap();
    assert!(hash.0.expose_secret().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
}

#[tokio::test]
async fn a_broken_hash_is_reported_without_its_text() {
    let hasher = PasswordHasher::new(Cost::Cheap, 1, 1);
    for broken in ["", "plain", "$argon2id$v=19$m=8,t=1,p=1$!!$!!", "$5$abc$def"] {
        let stored = PasswordHash(broken.into());
        let result = hasher.verify_any(Some(&stored), candidates(&["x"])).await;
        assert_eq!(result, Err(HasherError::Unreadable), "{broken}");
    }
}

#[tokio::test]
async fn a_full_queue_answers_busy_at_once() {
    let hasher = PasswordHasher::new(Cost::Cheap, 1, 1);
    let worker = Arc::clone(&hasher.workers).acquire_owned().await.unwrap();
    // Two places: the worker's (taken here without one) and the queue's.
    let mut first = Box::pin(hasher.verify_any(None, Vec::new()));
    let mut second = Box::pin(hasher.verify_any(None, Vec::new()));
    assert!(!begun_and_done(first.as_mut()).await);
    assert!(!begun_and_done(second.as_mut()).await);
    assert_eq!(hasher.verify_any(None, Vec::new()).await, Err(HasherError::Busy));
    drop(second);
    drop(worker);
    assert_eq!(first.await, Ok(false));
    assert_eq!(hasher.verify_any(None, Vec::new()).await, Ok(false));
}

async fn begun_and_done<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}

#[test]
fn debug_shows_no_password_and_no_hash() {
    let hasher = PasswordHasher::new(Cost::Cheap, 1, 1);
    let password = password("correct horse");
    let hash = hasher.hash_now(&password).unwrap();
    let shown = format!("{password:?} {:?} {hash:?} {hasher:?}", password.candidate());
    assert!(!shown.contains("horse") && !shown.contains("99, 111"), "{shown}");
    assert!(!shown.contains(hash.0.expose_secret().rsplit('$').next().unwrap()), "{shown}");
}
