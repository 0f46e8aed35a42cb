//! Data between clients, one way and as fast as it goes: pictures and files.

use super::{
    accounts_or, compare, row,
    talk::{self, NUMBER, Script},
};
use crate::{
    accounts::Accounts,
    options::Options,
    report::{Goal, Row, Sample},
    target::Kind,
};
use anyhow::ensure;

const CONVERSATIONS: usize = 20;
/// Messages that are not acknowledged yet.
const WINDOW: u32 = 64;
/// A payload: headers, 48 bytes for the clients, data, 4 bytes at its end.
const PAYLOAD_BYTES: usize = 1300;

pub(super) fn accounts() -> Accounts {
    Accounts::strangers(2 * CONVERSATIONS)
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Vec<Row>> {
    ensure!(options.dialect != "MSNP8", "MSNP8 has no messages of type D");
    let case = format!("{CONVERSATIONS} of two, window {WINDOW}");
    let mut accounts = accounts_or(options, accounts)?;
    ensure!(accounts.0.len() >= 2 * CONVERSATIONS, "{} accounts are needed", 2 * CONVERSATIONS);
    accounts.0.truncate(2 * CONVERSATIONS);
    let (relay, script) = (Kind::Raw("relay"), Script { kind: 'D', window: WINDOW, payload });
    let kinds = [Kind::Server, relay];
    let samples = compare(&case, &kinds, &accounts, options, async |target, people| {
        talk::measure(target, people, script, options).await
    })
    .await?;
    let of = |measure| (case.as_str(), measure, "raw relay");
    let megabytes = |sample: &Sample| sample.rate() * PAYLOAD_BYTES as f64 / 1e6;
    let cpu = Sample::cpu_micros;
    Ok(vec![
        row(of("MB/s"), &samples, relay, megabytes, Goal::AtLeast(0.8)),
        row(of("processor µs/message"), &samples, relay, cpu, Goal::None),
    ])
}

/// A part of a file; every byte occurs in it.
fn payload(reader: &str) -> Vec<u8> {
    let headers = format!(
        "MIME-Version: 1.0\r\nContent-Type: application/x-msnmsgrp2p\r\nP2P-Dest: {reader}\r\n\r\n"
    );
    let mut payload = format!("{headers}{NUMBER}").into_bytes();
    let missing = PAYLOAD_BYTES.saturating_sub(payload.len());
    payload.extend((0..=u8::MAX).cycle().take(missing));
    payload
}
