//! Opening conversations of two, as clients do: `XFR`, `USR`, `CAL`, `RNG`, `ANS`. The relay, which
//! has no notification server, is only told who belongs together.

use crate::{
    accounts::Account,
    board::Board,
    client::{self, Wire, passport},
    target::{Kind, Target},
};
use anyhow::{Context as _, ensure};
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{net::lookup_host, task::JoinSet};

/// How many are opened at once.
const AT_ONCE: usize = 32;

/// Two who are in a conversation, each on a connection of its own.
#[derive(Debug)]
pub(crate) struct Conversation {
    /// Who will write.
    pub(crate) writer: Participant,
    /// Who will read.
    pub(crate) reader: Participant,
}

/// Somebody in a conversation.
#[derive(Debug)]
pub(crate) struct Participant {
    pub(crate) wire: Wire,
    pub(crate) address: String,
    /// As the other one is told it.
    pub(crate) name: String,
}

/// Conversations, and the sign-ins of all who are in them, for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) conversations: Vec<Conversation>,
    /// Notes what goes wrong with the sign-ins.
    pub(crate) board: Arc<Board>,
    _signed_in: JoinSet<()>,
}

/// Signs everybody in, and opens a conversation for the first two, the next two, and so on.
pub(crate) async fn open_all(
    target: &Arc<Target>,
    people: &Arc<Vec<Account>>,
) -> anyhow::Result<Opened> {
    let tickets = Arc::new(passport::tickets(target, people).await?);
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (target, people, tickets) = (target.clone(), people.clone(), tickets.clone());
        let next = next.clone();
        workers.spawn(async move {
            let (mut conversations, mut signed_in) = (Vec::new(), Vec::new());
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some([caller, callee]) = people.chunks(2).nth(number) else {
                    return anyhow::Ok((conversations, signed_in));
                };
                let (caller, callee) = if target.kind == Kind::Server {
                    let mut wires = [
                        client::sign_in(&target, caller, &tickets[2 * number]).await?,
                        client::sign_in(&target, callee, &tickets[2 * number + 1]).await?,
                    ];
                    let opened = open(&mut wires, caller, callee).await;
                    signed_in.extend(wires);
                    opened.with_context(|| {
                        format!("{} cannot talk to {}", caller.address, callee.address)
                    })?
                } else {
                    pair(&target, number, caller, callee).await?
                };
                // Callers and callees write, so that it makes no difference who does.
                let (writer, reader) =
                    if number.is_multiple_of(2) { (caller, callee) } else { (callee, caller) };
                conversations.push(Conversation { writer, reader });
            }
        });
    }
    let (board, mut listening) = (Arc::new(Board::new()), JoinSet::new());
    let mut all = Vec::with_capacity(people.len() / 2);
    while let Some(worker) = workers.join_next().await {
        let (conversations, signed_in) = worker??;
        all.extend(conversations);
        for mut wire in signed_in {
            let board = board.clone();
            listening.spawn(async move { board.listen(&mut wire, |_| Ok(())).await });
        }
    }
    Ok(Opened { conversations: all, board, _signed_in: listening })
}

/// One calls, the other answers.
async fn open(
    [calling, called]: &mut [Wire; 2],
    caller: &Account,
    callee: &Account,
) -> anyhow::Result<(Participant, Participant)> {
    let (caller, callee) = (&caller.address, &callee.address);
    let referral = calling.ask("XFR 9 SB", "XFR 9 SB").await?;
    let [_, _, _, at, _, cookie] = words(&referral)?;
    let mut calling = Wire::connect(resolve(at).await?).await?;
    calling.ask(&format!("USR 1 {caller} {cookie}"), "USR 1 OK").await?;
    calling.ask(&format!("CAL 2 {callee}"), "CAL 2 RINGING").await?;
    let ring = called.line("RNG ").await?;
    let [_, room, at, _, cookie, by, _] = words(&ring)?;
    ensure!(by == caller, "{ring:?} instead of a ring from {caller}");
    let mut called = Wire::connect(resolve(at).await?).await?;
    let present = called.ask(&format!("ANS 1 {callee} {cookie} {room}"), "IRO 1").await?;
    let [_, _, _, _, address, caller_name] = words(&present)?;
    ensure!(address == caller, "{present:?} instead of {caller}");
    called.line("ANS 1 OK").await?;
    let joined = calling.line("JOI ").await?;
    let [_, address, callee_name] = words(&joined)?;
    ensure!(address == callee, "{joined:?} instead of {callee}");
    Ok((
        Participant { wire: calling, address: caller.clone(), name: caller_name.to_owned() },
        Participant { wire: called, address: callee.clone(), name: callee_name.to_owned() },
    ))
}

/// Tells the relay that these two belong together.
async fn pair(
    target: &Target,
    number: usize,
    caller: &Account,
    callee: &Account,
) -> anyhow::Result<(Participant, Participant)> {
    let enter = async |Account { address, name, .. }: &Account| {
        let wire = Wire::connect(target.notification).await?;
        wire.send(format!("PAIR {number} {address} {name}\r\n").as_bytes()).await?;
        anyhow::Ok(Participant { wire, address: address.clone(), name: name.clone() })
    };
    let (mut caller, mut callee) = (enter(caller).await?, enter(callee).await?);
    caller.wire.line("JOI ").await?;
    callee.wire.line("JOI ").await?;
    Ok((caller, callee))
}

/// All words of a line that must have so many.
fn words<const N: usize>(line: &str) -> anyhow::Result<[&str; N]> {
    let words: Vec<_> = line.split(' ').collect();
    words.try_into().ok().with_context(|| format!("{line:?} has not {N} words"))
}

async fn resolve(at: &str) -> anyhow::Result<SocketAddr> {
    let mut addresses = lookup_host(at).await.with_context(|| format!("{at} is unknown"))?;
    addresses.next().with_context(|| format!("{at} has no address"))
}
