//! Conversations of two, one of whom writes: what relaying a short text costs.

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

/// Sizes.
const CONVERSATIONS: [usize; 2] = [100, CONVERSATIONS_MAX];
pub(super) const CONVERSATIONS_MAX: usize = 1000;
/// Types of message: told of failure alone, and acknowledged.
const KINDS: [char; 2] = ['N', 'A'];
/// Messages on their way in each conversation.
const WINDOWS: [u32; 2] = [1, 4];
/// A payload, headers and text.
const PAYLOAD_BYTES: usize = 200;

pub(super) fn accounts(conversations: usize) -> Accounts {
    Accounts::strangers(2 * conversations)
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for conversations in CONVERSATIONS {
        for kind in KINDS {
            for window in WINDOWS {
                let case = format!("{conversations} of two, {kind}, window {window}");
                if options.wants(&case) {
                    let script = Script { kind, window, payload };
                    rows.extend(measure(&case, conversations, script, options).await?);
                }
            }
        }
    }
    Ok(rows)
}

async fn measure(
    case: &str,
    conversations: usize,
    script: Script,
    options: &Options,
) -> anyhow::Result<[Row; 2]> {
    let mut accounts = accounts_or(options, || accounts(conversations))?;
    ensure!(accounts.0.len() >= 2 * conversations, "{case} needs {} accounts", 2 * conversations);
    accounts.0.truncate(2 * conversations);
    let relay = Kind::Raw("relay");
    let samples =
        compare(case, &[Kind::Server, relay], &accounts, options, async |target, people| {
            talk::measure(target, people, script, options).await
        })
        .await?;
    let of = |measure| (case, measure, "raw relay");
    let cpu = Sample::cpu_micros;
    Ok([
        row(of("messages/s"), &samples, relay, Sample::rate, Goal::AtLeast(0.8)),
        row(of("processor µs/message"), &samples, relay, cpu, Goal::None),
    ])
}

/// A text as clients send it.
fn payload(_reader: &str) -> Vec<u8> {
    let headers = "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=UTF-8\r\n\
                   X-MMS-IM-Format: FN=Verdana; EF=; CO=0; CS=0; PF=22\r\n\r\n";
    let mut payload = format!("{headers}{NUMBER} ");
    payload.extend("all is well, ".chars().cycle().take(PAYLOAD_BYTES - payload.len()));
    payload.into_bytes()
}
