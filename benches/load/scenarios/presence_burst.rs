//! Many users change status at once, all before the same watchers; the next burst comes when all
//! have all of it. What a server gains by writing once what is ready at once.

use super::{accounts_or, compare, listen_all, repeat, row, sign_in_all};
use crate::{
    accounts::{Account, Accounts},
    board::Board,
    client::{CLIENT_ID, Frame},
    options::Options,
    report::{Goal, Row, Sample},
    target::{Kind, Target},
};
use anyhow::{Context as _, ensure};
use std::{collections::HashMap, sync::Arc};

/// Sizes.
const CHANGERS: [usize; 2] = [10, CHANGERS_MAX];
pub(super) const CHANGERS_MAX: usize = 50;
const WATCHERS: usize = 1000;

pub(super) fn accounts(changers: usize) -> Accounts {
    Accounts::audience(changers, WATCHERS)
}

pub(super) async fn run(options: &Options) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for changers in CHANGERS {
        let case = format!("{changers} at once");
        if !options.wants(&case) {
            continue;
        }
        let accounts = accounts_or(options, || accounts(changers))?;
        let kinds = [Kind::Server, Kind::Coalescing, Kind::Direct];
        let samples = compare(&case, &kinds, &accounts, options, async |target, people| {
            measure(target, people, changers, options).await
        })
        .await?;
        let coalescing = (case.as_str(), "lines/s", "coalescing writer");
        let goal = Goal::AtLeast(0.8);
        rows.push(row(coalescing, &samples, Kind::Coalescing, Sample::rate, goal));
        let direct = (case.as_str(), "lines/s", "raw writer");
        rows.push(row(direct, &samples, Kind::Direct, Sample::rate, Goal::None));
    }
    Ok(rows)
}

/// The first accounts change, those after them watch them all.
async fn measure(
    target: &Arc<Target>,
    people: &Arc<Vec<Account>>,
    changers: usize,
    options: &Options,
) -> anyhow::Result<Sample> {
    let mut wires = sign_in_all(target, people).await?;
    let watching = wires.split_off(changers);
    let watchers = watching.len();
    let board = Arc::new(Board::new());
    let numbers = people.iter().take(changers).enumerate();
    let numbers = numbers.map(|(number, account)| (account.address.clone(), number));
    let numbers: Arc<HashMap<_, _>> = Arc::new(numbers.collect());
    let tasks = listen_all(&board, watching, |_| {
        let (board, numbers) = (board.clone(), numbers.clone());
        // The turn up to which each changer has been heard.
        let mut heard = vec![0; changers];
        move |frame: Frame<'_>| {
            if !frame.line.starts_with(b"NLN ") {
                return Ok(());
            }
            let text = std::str::from_utf8(frame.line)?;
            let mut words = text.split(' ').skip(2);
            let number = words.next().and_then(|address| numbers.get(address).copied());
            let turn = words.nth(1).and_then(|client_id| client_id.parse::<u32>().ok());
            let turn = turn.and_then(|client_id| client_id.checked_sub(CLIENT_ID));
            let (number, turn) = number.zip(turn).with_context(|| format!("{text:?} is odd"))?;
            let heard = heard.get_mut(number).context("no such changer")?;
            if turn > 0 {
                ensure!(turn == *heard + 1 && turn == board.turn(), "{text:?} is out of turn");
                *heard = turn;
                board.delivered();
            }
            Ok(())
        }
    });
    let turn = async || {
        let awaited = changers * watchers;
        let turn = board.begin(awaited);
        let line = format!("CHG 7 {} {}", ["BSY", "AWY"][turn as usize % 2], CLIENT_ID + turn);
        let sent = format!("{line}\r\n");
        for wire in &wires {
            wire.send(sent.as_bytes()).await?;
        }
        board.finished().await?;
        for wire in &mut wires {
            wire.line(&line).await?;
        }
        Ok(awaited as u64)
    };
    let sample = repeat(target, options, turn).await?;
    drop(tasks);
    Ok(sample)
}
