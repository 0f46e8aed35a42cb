//! What waits: in order, within its bounds, and never waking anybody for nothing.

use super::*;
use crate::net::wire::{Line, split};
use socket2::SockRef;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

fn alone(bytes_max: usize) -> (Sender, Queue) {
    queue(bytes_max, Arc::new(Budget::new(usize::MAX, 0)))
}

const LINES: Bytes = Bytes::from_static(b"BYE alice@example.test\r\n");

#[test]
fn order_is_kept_and_memory_given_back() {
    let (sender, mut queue) = alone(1 << 20);
    for number in 0..1000 {
        sender.send(number.to_string().into()).unwrap();
    }
    for number in 0..1000 {
        assert_eq!(queue.try_recv(), Some(News::Lines(number.to_string().into())));
    }
    assert_eq!(queue.try_recv(), None);
    let waiting = queue.shared.waiting.lock();
    assert_eq!((waiting.bytes, waiting.entries.capacity()), (0, 0));
}

#[test]
fn one_byte_too_many_closes_it_and_frees_what_waited() {
    let entry = LINES.len() + ENTRY_BYTES;
    let (sender, mut queue) = alone(3 * entry - 1);
    assert_eq!(sender.send(LINES), Ok(false));
    assert_eq!(sender.send(LINES), Ok(true));
    let debris = Debris([LINES, LINES].map(|lines| Entry { lines, count: 1 }).into());
    assert_eq!(sender.send(LINES), Err(Overflowed(debris.into())));
    assert_eq!(sender.send(Bytes::new()), Err(Overflowed(Box::default())));
    assert_eq!(queue.shared.waiting.lock().entries.capacity(), 0);
    sender.end(Ending::Idle);
    assert_eq!(queue.try_recv(), Some(News::End(Ending::Overflow)));
}

#[test]
fn room_that_was_read_is_free_again() {
    let (sender, mut queue) = alone(LINES.len() + ENTRY_BYTES);
    for _ in 0..10 {
        sender.send(LINES).unwrap();
        assert_eq!(queue.try_recv(), Some(News::Lines(LINES)));
    }
}

#[tokio::test]
async fn the_last_lines_come_before_the_end() {
    let (sender, mut queue) = alone(1000);
    sender.send(LINES).unwrap();
    sender.end(Ending::Idle);
    assert_eq!(queue.recv(true).await, News::Lines(LINES));
    assert_eq!(queue.recv(true).await, News::End(Ending::Idle));
    assert_eq!(queue.try_recv(), Some(News::End(Ending::Idle)));
}

#[tokio::test]
async fn who_takes_no_lines_is_woken_by_an_overflow_only() {
    let (sender, mut queue) = alone(LINES.len() + ENTRY_BYTES);
    sender.send(LINES).unwrap();
    let waiting = async { queue.recv(false).await };
    let sending = async { assert!(sender.send(LINES).is_err()) };
    let (news, ()) = tokio::join!(waiting, sending);
    assert_eq!(news, News::End(Ending::Overflow));
}

#[tokio::test]
async fn who_takes_no_lines_hears_once_that_the_last_ones_wait() {
    let (sender, mut queue) = alone(1000);
    sender.send(LINES).unwrap();
    sender.end(Ending::Idle);
    assert_eq!(queue.recv(false).await, News::LastLines);
    assert!(is_pending(queue.recv(false)).await);
    assert_eq!(queue.recv(true).await, News::Lines(LINES));
    assert_eq!(queue.recv(true).await, News::End(Ending::Idle));
}

async fn is_pending(future: impl Future) -> bool {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await
}

/// Counts how often it is woken.
#[derive(Default)]
struct Alarm(AtomicUsize);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_line_wakes_only_who_sleeps_for_lines() {
    let (sender, mut queue) = alone(1 << 20);
    let alarm = Arc::<Alarm>::default();
    let waker = Waker::from(alarm.clone());
    let mut cx = Context::from_waker(&waker);
    assert!(queue.poll_recv(false, false, &mut cx).is_pending());
    (0..10).for_each(|_| assert_eq!(sender.send(LINES), Ok(false)));
    assert_eq!(alarm.0.load(Ordering::Relaxed), 0, "woken for nothing");
    while queue.try_recv().is_some() {}
    assert!(queue.poll_recv(true, false, &mut cx).is_pending());
    sender.send(LINES).unwrap();
    assert_eq!(alarm.0.load(Ordering::Relaxed), 1);
    sender.send(LINES).unwrap();
    assert_eq!(alarm.0.load(Ordering::Relaxed), 1, "nobody sleeps any more");
    assert!(queue.poll_recv(true, false, &mut cx).is_ready());
    assert!(queue.poll_recv(false, false, &mut cx).is_pending());
    sender.end(Ending::Idle);
    assert_eq!(alarm.0.load(Ordering::Relaxed), 2, "the end is for everybody");
}

/// Before what waits, to who takes lines and to who does not, and also after an overflow; but lines
/// that are there can still be taken.
#[tokio::test]
async fn an_eviction_comes_before_everything_else() {
    let (sender, mut queue) = alone(LINES.len() + ENTRY_BYTES);
    sender.send(LINES).unwrap();
    let eviction = queue.eviction();
    let waiting = async { queue.recv(false).await };
    let (news, ()) = tokio::join!(waiting, async { eviction.wake() });
    assert_eq!((news, queue.recv(true).await), (News::Evicted, News::Evicted));
    assert_eq!(queue.try_recv(), Some(News::Lines(LINES)));
    sender.send(LINES).unwrap();
    assert!(sender.send(LINES).is_err());
    assert_eq!(queue.recv(true).await, News::Evicted);
}

#[test]
fn beyond_the_budget_only_a_fair_share_waits() {
    let entry = LINES.len() + ENTRY_BYTES;
    let budget = Arc::new(Budget::new(4 * entry, 2 * entry));
    let new = || queue(100 * entry, budget.clone());
    let ((greedy, mut greedys), (modest, mut modests)) = (new(), new());
    (0..3).for_each(|_| assert_eq!(greedy.send(LINES), Ok(false)));
    (0..2).for_each(|_| assert_eq!(modest.send(LINES), Ok(false)));
    assert_eq!(budget.bytes(), 5 * entry);
    assert!(greedy.send(LINES).is_err());
    assert_eq!(greedys.try_recv(), Some(News::End(Ending::Overflow)));
    assert_eq!(budget.bytes(), 2 * entry, "what is thrown away counts no more");
    modest.send(LINES).unwrap();
    assert_eq!(modests.try_recv(), Some(News::Lines(LINES)));
    assert_eq!(budget.bytes(), 2 * entry);
    drop((modest, modests));
    assert_eq!(budget.bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hold_ends_below_a_quarter_or_with_the_room_or_is_found_stalled() {
    let entry = LINES.len() + ENTRY_BYTES;
    let fill = || {
        let (sender, queue) = alone(8 * entry);
        (0..4).for_each(|_| assert_eq!(sender.send(LINES), Ok(false)));
        assert!(sender.hold(Instant::now()).is_none());
        assert_eq!(sender.send(LINES), Ok(true));
        let hold = sender.hold(Instant::now()).unwrap();
        (sender, queue, hold)
    };
    let (_sender, mut queue, mut hold) = fill();
    for _ in 0..3 {
        queue.try_recv();
        assert!(is_pending(hold.released()).await);
    }
    queue.try_recv();
    hold.released().await;
    assert_eq!(hold.stalls_at(), None);

    let (sender, _queue, mut hold) = fill();
    drop(sender);
    hold.released().await;

    let (sender, mut queue, mut hold) = fill();
    tokio::time::advance(TAKE_WAIT - Duration::from_secs(1)).await;
    queue.try_recv();
    tokio::time::advance(TAKE_WAIT - Duration::from_secs(1)).await;
    assert_eq!(sender.end_stalled(Instant::now()), None);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(hold.stalls_at(), Some(Instant::now()));
    assert_eq!(sender.end_stalled(Instant::now()).map(|debris| debris.0.len()), Some(4));
    hold.released().await;
    assert_eq!(queue.try_recv(), Some(News::End(Ending::Overflow)));
}

/// However lines come and go: they come out whole, in order, and everything that was counted is
/// given back.
#[test]
fn lines_that_come_together_go_out_together_and_count_one_by_one() {
    let budget = Arc::new(Budget::new(1 << 20, 0));
    let (sender, mut queue) = queue(1 << 20, budget.clone());
    let (mut said, mut heard) = (Vec::new(), Vec::new());
    for number in 0..2000usize {
        let count = number % 7 + 1;
        let lines = format!("{number}\n").repeat(count);
        let before = budget.bytes();
        let piece = Piece { lines: lines.clone().into(), count, is_straight: false };
        sender.send_together(piece).unwrap();
        assert_eq!(budget.bytes() - before, lines.len() + count * ENTRY_BYTES);
        said.push(lines);
        let take = match number % 100 {
            50 => 7,
            99 => usize::MAX,
            _ => 0,
        };
        for _ in 0..take {
            let Some(News::Lines(lines)) = queue.try_recv() else { break };
            heard.push(lines);
        }
    }
    assert_eq!(heard, said);
    assert_eq!(budget.bytes(), 0);
    let waiting = queue.shared.waiting.lock();
    assert_eq!((waiting.bytes, waiting.entries.capacity()), (0, 0));
}

/// What a participant's connection has of it, the queue with the other half, and the participant.
async fn wired(sender_bytes: usize) -> (Line, Sender, Queue, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    SockRef::from(&stream).set_send_buffer_size(sender_bytes).unwrap();
    stream.writable().await.unwrap();
    let (line, wire) = split(stream);
    let (sender, mut queue) = alone(1 << 20);
    queue.set_wire(wire);
    (line, sender, queue, client)
}

fn straight(lines: impl Into<Bytes>) -> Piece {
    Piece { lines: lines.into(), count: 1, is_straight: true }
}

/// Whether the next line waits, which is taken out again; if not, the client has it.
async fn waits(sender: &Sender, queue: &mut Queue, client: &mut TcpStream) -> bool {
    sender.send_together(straight(LINES)).unwrap();
    if let Some(news) = queue.try_recv() {
        assert_eq!(news, News::Lines(LINES));
        return true;
    }
    let mut heard = vec![0; LINES.len()];
    client.read_exact(&mut heard).await.unwrap();
    assert_eq!(heard, LINES[..]);
    false
}

#[tokio::test]
async fn lines_go_straight_only_while_the_wire_is_lent() {
    let (mut line, sender, mut queue, mut client) = wired(1 << 16).await;
    assert!(waits(&sender, &mut queue, &mut client).await, "it has not been lent yet");
    queue.lend_wire();
    assert!(!waits(&sender, &mut queue, &mut client).await);
    queue.take_back_wire();
    assert!(waits(&sender, &mut queue, &mut client).await);
    queue.lend_wire();
    // Something that does not go straight: what follows waits behind it.
    sender.send(LINES).unwrap();
    sender.send_together(straight(LINES)).unwrap();
    queue.lend_wire();
    sender.send_together(straight(LINES)).unwrap();
    for _ in 0..3 {
        assert_eq!(queue.recv(true).await, News::Lines(LINES));
    }
    queue.lend_wire();
    assert!(!waits(&sender, &mut queue, &mut client).await);
    queue.eviction().wake();
    assert!(waits(&sender, &mut queue, &mut client).await);
    queue.lend_wire();
    assert!(waits(&sender, &mut queue, &mut client).await, "nothing follows an eviction");
    // Whoever ends has its last words, and hears nothing after them.
    drop(queue);
    sender.send_together(straight(LINES)).unwrap();
    line.write_all(b"OUT\r\n").await.unwrap();
    line.shutdown().await.unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"OUT\r\n");
}

/// And wakes the receiver, who goes on with it.
#[tokio::test]
async fn of_what_the_system_does_not_take_the_rest_waits() {
    let (mut line, sender, mut queue, mut client) = wired(1).await;
    let said: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let alarm = Arc::<Alarm>::default();
    let waker = Waker::from(alarm.clone());
    assert!(queue.poll_recv(true, false, &mut Context::from_waker(&waker)).is_pending());
    queue.lend_wire();
    assert_eq!(sender.send_together(straight(said.clone())), Ok(true));
    assert_eq!(alarm.0.load(Ordering::Relaxed), 1);
    let Some(News::Lines(rest)) = queue.try_recv() else { panic!("it took all") };
    assert!((1..said.len()).contains(&rest.len()), "{}", rest.len());
    let mut heard = vec![0; said.len()];
    let (written, read) = tokio::join!(line.write_all(&rest), client.read_exact(&mut heard));
    assert!(written.is_ok() && read.is_ok() && heard == said);
}
