//! Order, memory and receipts of what is to be sent.

use super::*;
use crate::protocol::TrId;
use std::future::poll_fn;

#[tokio::test]
async fn keeps_order_and_gives_memory_back() {
    let mut outbox = Outbox::new(1000);
    outbox.send(&Event::Qry { trid: TrId::ZERO });
    for _ in 0..100 {
        outbox.share(Bytes::from_static(b"FLN a@b.c\r\n"));
    }
    outbox.send(&Event::Out);
    assert!(outbox.is_behind());
    let mut written = Vec::new();
    poll_fn(|cx| outbox.poll_write(&mut written, cx, || ())).await.unwrap();
    let text = String::from_utf8(written).unwrap();
    assert_eq!(text, format!("QRY 0\r\n{}OUT\r\n", "FLN a@b.c\r\n".repeat(100)));
    assert!(outbox.is_empty() && !outbox.is_behind());
    assert_eq!((outbox.chunks.capacity(), outbox.tail.capacity()), (0, 0));
}

#[test]
fn room_is_made_without_tearing_a_line() {
    let mut outbox = Outbox::new(1000);
    for _ in 0..3 {
        outbox.share(Bytes::from_static(b"FLN a@b.c\r\n"));
    }
    outbox.advance(11 + 4);
    outbox.make_room();
    assert_eq!((outbox.len(), outbox.pieces().count()), (7, 1));
    outbox.advance(7);
    outbox.share(Bytes::from_static(b"FLN a@b.c\r\n"));
    outbox.make_room();
    assert!(outbox.is_empty());
}

#[test]
fn what_others_have_begun_is_not_torn_either() {
    const LINES: &[u8] = b"FLN a@b.c\r\nFLN b@b.c\r\nFLN c@b.c\r\n";
    for (written, stays) in [(0, ""), (4, "a@b.c\r\n"), (10, "\n"), (11, ""), (15, "b@b.c\r\n")] {
        let mut outbox = Outbox::new(1000);
        outbox.resume(&Rest::of(LINES, written));
        assert_eq!(outbox.pieces().flatten().copied().collect::<Vec<_>>(), LINES[written..]);
        outbox.send(&Event::Out);
        outbox.make_room();
        outbox.send(&Event::OutOther);
        let sent = String::from_utf8(outbox.pieces().flatten().copied().collect()).unwrap();
        assert_eq!(sent, format!("{stays}OUT OTH\r\n"), "{written}");
    }
}

fn confirmed(outbox: &mut Outbox) -> Vec<u64> {
    iter::from_fn(|| outbox.next_confirmed()).collect()
}

#[tokio::test]
async fn what_was_written_before_the_peer_spoke_is_confirmed_and_nothing_else() {
    let mut outbox = Outbox::new(1000);
    let send = |outbox: &mut Outbox, number| {
        outbox.send_with_receipt(&Event::Out, number);
        outbox.seal_tail();
    };
    (1..=3).for_each(|number| send(&mut outbox, number));
    outbox.share(Bytes::from_static(b"FLN a@b.c\r\n"));
    assert_eq!(confirmed(&mut outbox), [0; 0], "still here");
    outbox.advance(6);
    // The second line has been begun and stays, the third is dropped with its receipt.
    outbox.make_room();
    poll_fn(|cx| outbox.poll_write(&mut Vec::new(), cx, || ())).await.unwrap();
    send(&mut outbox, 4);
    assert_eq!(confirmed(&mut outbox), [1, 2]);
    assert_eq!(confirmed(&mut outbox), [0; 0], "each once");
    poll_fn(|cx| outbox.poll_write(&mut Vec::new(), cx, || ())).await.unwrap();
    assert_eq!(confirmed(&mut outbox), [4]);
    assert_eq!(outbox.receipts.capacity(), 0);
}

#[tokio::test]
async fn a_peer_that_never_speaks_costs_a_bounded_memory() {
    let mut outbox = Outbox::new(1000);
    let count = UNCONFIRMED_MAX as u64 + 5;
    for number in 0..count {
        outbox.send_with_receipt(&Event::Out, number);
        poll_fn(|cx| outbox.poll_write(&mut Vec::new(), cx, || ())).await.unwrap();
    }
    assert!(outbox.receipts.capacity() <= UNCONFIRMED_MAX);
    assert_eq!(confirmed(&mut outbox), (5..count).collect::<Vec<_>>());
}

/// Takes everything at once and keeps it until the second flush.
#[derive(Default)]
struct Reluctant {
    flushes: usize,
}

impl AsyncWrite for Reluctant {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushes += 1;
        if self.flushes < 2 { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_flush_that_must_wait_is_not_forgotten() {
    let mut outbox = Outbox::new(1000);
    outbox.send_with_receipt(&Event::Out, 1);
    let mut io = Reluctant::default();
    let mut attempt = async |outbox: &mut Outbox| {
        poll_fn(|cx| Poll::Ready(outbox.poll_write(&mut io, cx, || ()).is_ready())).await
    };
    assert!(!attempt(&mut outbox).await);
    assert_eq!(outbox.next_confirmed(), None, "the peer cannot have it yet");
    assert!(attempt(&mut outbox).await);
    assert_eq!(outbox.next_confirmed(), Some(1));
    assert!(outbox.is_empty());
    assert_eq!(io.flushes, 2);
}
