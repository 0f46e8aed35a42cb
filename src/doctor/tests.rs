//! The doctor's own ways: what it skips, and that it comes to an end.

use super::*;
use tokio::net::TcpListener;

fn options(port: u16, only: &[u8]) -> Options {
    Options {
        host: "127.0.0.1".into(),
        dispatch_port: port,
        https_port: port,
        http_port: port,
        account: None,
        proxies: Vec::new(),
        only: only.into(),
    }
}

/// A port on which nobody listens.
async fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn where_nobody_listens_every_point_fails_or_is_skipped() {
    let checks = examine(&options(closed_port().await, &[])).await;
    let points: Vec<u8> = checks.iter().map(|check| check.point).collect();
    assert_eq!(points, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for Check { point, outcome, .. } in checks {
        match outcome {
            Outcome::Pass(text) => panic!("{point} passed: {text}"),
            Outcome::Skip(_) => assert_eq!(point, 10),
            Outcome::Fail { what, remedy } => {
                assert!(what.contains("cannot connect"), "{point}: {what}");
                assert!(remedy.contains("bind"), "{point}: {remedy}");
            }
        }
    }
}

#[tokio::test]
async fn only_the_wanted_points_are_told() {
    let checks = examine(&options(closed_port().await, &[10, 4])).await;
    let points: Vec<u8> = checks.iter().map(|check| check.point).collect();
    assert_eq!(points, [4, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_not_waited_for_in_vain() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let checks = examine(&options(port, &[4, 6, 8])).await;
    for Check { point, outcome, .. } in checks {
        let Outcome::Fail { what, .. } = outcome else { panic!("{point}: {outcome:?}") };
        let expected = if point == 8 { "no answer within a second" } else { "no end after 15" };
        assert!(what.contains(expected), "{point}: {what}");
    }
}
