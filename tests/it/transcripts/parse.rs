//! The transcript format as data.
//!
//! Beyond the format of the reference, `% config SECTION.KEY VALUE` sets an option of the server,
//! `% account … mailbox=INBOX,FOLDERS` gives a mailbox with so many unread messages, and `> …` is
//! something an operator does: `> alert EMAIL TEXT`, `> mail EMAIL FROM SUBJECT` and
//! `> moved EMAIL FROM TO COUNT`. A `NOT` that nobody has caused is sent by an operator as it
//! stands; `! the database fails`, `! the database works` and `! the server announces its end` are
//! what they say.

/// A whole file: preconditions hold for all of it.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// `% …`
    pub(crate) preconditions: Vec<String>,
    /// `$ NAME value`: values that the server chooses.
    pub(crate) chosen: Vec<String>,
    /// What happens, with the line number of each step.
    pub(crate) steps: Vec<(usize, Step)>,
}

/// One thing that happens.
#[derive(Debug)]
pub(crate) enum Step {
    /// `@ name role [state …]`
    On { name: String, opening: Vec<String> },
    /// `C:` with its payload.
    Send(Message),
    /// `S:` with its payload.
    Receive(Message),
    /// `S? CMD`
    ReceiveAny(String),
    /// `{ … }`
    ReceiveInAnyOrder(Vec<Message>),
    /// `> …`
    Operate(String),
    /// `! the database fails` or `works`
    Database { works: bool },
    /// `! the server announces its end`
    Shutdown,
    /// `! [name] closed by …`
    Closed { name: Option<String>, by_server: bool },
}

/// A line and the payload behind it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Message {
    pub(crate) line: String,
    pub(crate) payload: Option<Vec<u8>>,
}

/// Reads a file.
pub(crate) fn script(text: &str) -> Script {
    let mut script = Script::default();
    let mut group: Option<Vec<Message>> = None;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (mark, rest) = line.split_at(line.len().min(2));
        let rest = rest.strip_prefix(' ').unwrap_or(rest);
        match mark {
            "% " => script.preconditions.push(rest.into()),
            "$ " => script.chosen.push(rest.split_once(' ').unwrap().1.into()),
            "@ " => {
                let mut words = rest.split_whitespace().map(String::from);
                let name = words.next().unwrap();
                script.steps.push((number, Step::On { name, opening: words.collect() }));
            }
            "> " => script.steps.push((number, Step::Operate(rest.into()))),
            "! " => script.steps.push((number, happening(rest))),
            "{" => group = Some(Vec::new()),
            "}" => {
                let messages = group.take().expect("a group");
                script.steps.push((number, Step::ReceiveInAnyOrder(messages)));
            }
            "C:" | "S:" => {
                let message = Message { line: rest.into(), payload: None };
                match (&mut group, mark) {
                    (Some(group), "S:") => group.push(message),
                    (None, "S:") => script.steps.push((number, Step::Receive(message))),
                    _ => script.steps.push((number, Step::Send(message))),
                }
            }
            "S?" => script.steps.push((number, Step::ReceiveAny(rest.into()))),
            "C." | "S." | "C~" | "S~" => {
                let Some((_, Step::Send(message) | Step::Receive(message))) =
                    script.steps.last_mut()
                else {
                    panic!("line {number}: payload without a command");
                };
                let payload = message.payload.get_or_insert_default();
                payload.extend(bytes(rest.strip_suffix('\\').unwrap_or(rest)));
                if mark.ends_with('.') {
                    payload.extend_from_slice(b"\r\n");
                }
            }
            _ => panic!("line {number}: {line}"),
        }
    }
    script
}

fn happening(text: &str) -> Step {
    match text {
        "the database fails" => return Step::Database { works: false },
        "the database works" => return Step::Database { works: true },
        "the server announces its end" => return Step::Shutdown,
        _ => {}
    }
    let (name, by) = text.split_once("closed by ").unwrap();
    let name = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
    Step::Closed { name, by_server: by == "server" }
}

/// `\xNN` is one byte.
fn bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x") {
        bytes.extend_from_slice(before.as_bytes());
        bytes.push(u8::from_str_radix(&after[..2], 16).unwrap());
        rest = &after[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}
