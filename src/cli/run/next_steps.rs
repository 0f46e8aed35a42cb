//! What is printed for people below the addresses when the server has started: how to make an
//! account, how to lead a client here, and what stands in the way of that.

use super::certificate;
use crate::{
    config::{Bind, Config},
    server::{Listener, Role},
    setup::{PATH, SERVICE_NAMES},
};
use std::path::Path;

/// Longest line of names, characters. Windows reads at most nine names of a line.
const NAMES_CHARS_MAX: usize = 75;

/// All of it, for a server that listens at `listeners`.
pub(super) fn text(config: &Config, listeners: &[Listener]) -> String {
    let folder = config.data.dir.display();
    let flag = match config.data == Config::default().data {
        true => String::new(),
        false => format!(" --data-dir {folder}"),
    };
    // As typed, so that the line can be copied.
    let program = std::env::args_os().next().unwrap_or_else(|| "msnd".into());
    let program = Path::new(&program).display();
    let mut text = format!(
        "\nData is in {folder}. What next:\n  \
         1. make an account:  {program} user add{flag} alice@example.test\n  \
         2. point a client here: write into the hosts file of its machine, with the address of\n     \
         this one in place of 192.0.2.1:\n{}     \
         (a client in which one can enter a server looks for most other names all the same)\n",
        hosts_lines()
    );
    if let Some(certificates) = certificate::to_trust(config) {
        text += &format!(
            "  3. let the client's machine trust {certificates}, unless the client does not check\n"
        );
        if let Some(page) = handout(config, listeners) {
            text += &format!("     Users of Windows find lines and certificate at {page}\n");
        }
    }
    for obstacle in obstacles(config, listeners) {
        text += &format!("But {obstacle}\n");
    }
    text + "Ctrl-C ends the server.\n"
}

fn hosts_lines() -> String {
    let mut lines: Vec<String> = Vec::new();
    for name in SERVICE_NAMES {
        match lines.last_mut() {
            Some(line) if line.len() + 1 + name.len() <= NAMES_CHARS_MAX => {
                line.push(' ');
                line.push_str(name);
            }
            _ => lines.push(name.to_owned()),
        }
    }
    lines.iter().map(|names| format!("       192.0.2.1  {names}\n")).collect()
}

/// Where the running server hands out what users of Windows need, if it can.
fn handout(config: &Config, listeners: &[Listener]) -> Option<String> {
    let port = port(listeners, Role::Http).filter(|_| certificate::has_authority(config))?;
    let port = if port == 80 { String::new() } else { format!(":{port}") };
    Some(format!("http://192.0.2.1{port}{PATH}"))
}

/// What a client that follows the steps will stumble over, a sentence each.
fn obstacles(config: &Config, listeners: &[Listener]) -> Vec<String> {
    let mut obstacles = Vec::new();
    match port(listeners, Role::Dispatch) {
        None | Some(1863) => {}
        Some(port) => obstacles.push(format!(
            "dispatch is on port {port}: only clients in which one can enter a port find it; all \
             others try 1863 (dispatch.bind)"
        )),
    }
    match port(listeners, Role::PassportHttps) {
        None | Some(443) => {}
        Some(port) => obstacles.push(format!(
            "Passport is on port {port}: clients ask on 443, whatever they are told, and cannot \
             sign in unless something passes 443 on (passport.https_bind)"
        )),
    }
    match port(listeners, Role::Http) {
        None if config.web.bind == Bind::Off => {}
        Some(80) => {}
        None => obstacles.push(
            "there are no web pages: clients lack tabs and links, and those that reach only port \
             80 cannot sign in (web.bind)"
                .into(),
        ),
        Some(port) => obstacles.push(format!(
            "web pages are on port {port}: clients look on 80, so they lack tabs and links, and \
             those that reach only port 80 cannot sign in (web.bind)"
        )),
    }
    obstacles
}

fn port(listeners: &[Listener], role: Role) -> Option<u16> {
    listeners.iter().find(|listener| listener.role == role).map(|found| found.address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ports: &[(Role, u16)]) -> Vec<Listener> {
        let listener = |(role, port): &(Role, u16)| Listener {
            role: *role,
            address: ([0, 0, 0, 0], *port).into(),
        };
        ports.iter().map(listener).collect()
    }

    #[test]
    fn every_name_is_there_once_and_no_line_is_too_long_for_windows() {
        let lines = hosts_lines();
        let mut names = Vec::new();
        for line in lines.lines() {
            let line = line.strip_prefix("       192.0.2.1  ").unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            assert!(words.len() <= 9 && line.len() <= NAMES_CHARS_MAX, "{line}");
            names.extend(words);
        }
        assert_eq!(names, SERVICE_NAMES);
    }

    #[test]
    fn ports_that_clients_do_not_try_are_named_with_what_that_means() {
        let mut config = Config::default();
        let usual = [(Role::Dispatch, 1863), (Role::PassportHttps, 443), (Role::Http, 80)];
        assert_eq!(obstacles(&config, &at(&usual)), [""; 0]);
        let other = [(Role::Dispatch, 1864), (Role::PassportHttps, 8443), (Role::Http, 8080)];
        let found = obstacles(&config, &at(&other));
        for (obstacle, parts) in found.iter().zip([
            ["port 1864", "1863", "dispatch.bind"],
            ["port 8443", "cannot sign in", "passport.https_bind"],
            ["port 8080", "tabs", "web.bind"],
        ]) {
            assert!(parts.iter().all(|part| obstacle.contains(part)), "{obstacle}");
        }
        assert_eq!(found.len(), 3);
        // Another program has port 80.
        let found = obstacles(&config, &at(&usual[..2]));
        assert!(found.len() == 1 && found[0].contains("no web pages"), "{found:?}");
        // The operator wants none.
        config.web.bind = Bind::Off;
        assert_eq!(obstacles(&config, &at(&usual[..2])), [""; 0]);
    }
}
