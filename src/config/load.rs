//! Turns a file, the environment and command-line flags into a [`Config`], in that order, and
//! tells where a wrong value stands. Knows no option by name: the valid keys are those which the
//! defaults serialise to, so there is no second list to forget.

use super::{
    Config, check,
    text::{expected, found, is_secret, nearest, plain, shorten, to_toml},
};
use serde::Deserialize as _;
use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt, fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};
use toml::{
    Spanned, Table, Value,
    de::{DeTable, DeValue, Deserializer, ValueDeserializer},
};

/// The file with every option, its meaning and its default; embedded.
pub const EXAMPLE: &str = include_str!("../../config/msnd.toml");
/// The same for this build: without the feature `legacy-tls` one default is another one.
#[must_use]
pub fn example() -> Cow<'static, str> {
    if cfg!(feature = "legacy-tls") {
        EXAMPLE.into()
    } else {
        EXAMPLE.replace("\ntls_floor = \"tls1.0\"\n", "\ntls_floor = \"tls1.2\"\n").into()
    }
}

/// The variable that names a file where no flag does.
pub const FILE_VARIABLE: &str = "MSND_CONFIG";
/// First letters of every variable we read.
pub const VARIABLE_PREFIX: &str = "MSND_";
/// Largest file we read, bytes.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// What the command line adds.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// What holds where neither file nor environment nor flag says anything.
    pub base: Config,
    /// In the order in which they were given; later ones win.
    pub flags: Vec<Flag>,
}

/// One value from the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// The flag as the user knows it, such as `--set`.
    pub name: String,
    /// Which option, as `section.key`.
    pub key: String,
    /// Its value: a bare text or number; lists separated by commas or in TOML.
    pub value: String,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A file and a line, counted from 1; line 0 stands for the file as a whole.
    File(PathBuf, usize),
    /// An environment variable.
    Variable(String),
    /// A flag.
    Flag(String),
}

/// Checked options, and who set them.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The options.
    pub config: Config,
    /// For each `section.key` that somebody set, who did last.
    pub origins: BTreeMap<String, Origin>,
}

/// Everything that is wrong, in the order in which it was found. Shows no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError(Vec<Problem>);

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub origin: Origin,
    /// Key, value and remedy, in words.
    pub text: String,
}

/// Reads and checks all options: `file`, or else the one named by [`FILE_VARIABLE`] in `env`, or
/// else none; then `MSND_<SECTION>_<KEY>` from `env`; then the flags. No file is looked for by
/// itself, so that the folder in which a server is started does not change what it does.
///
/// # Errors
/// [`ConfigError`] with all unknown keys and values of the wrong kind; if there are none, with all
/// values that cannot work.
pub fn load(
    file: Option<&Path>,
    env: impl Iterator<Item = (String, String)>,
    overrides: &Overrides,
) -> Result<Config, ConfigError> {
    trace(file, env, overrides).map(|loaded| loaded.config)
}

/// [`load`], keeping where each value came from.
///
/// # Errors
/// As [`load`].
pub fn trace(
    file: Option<&Path>,
    env: impl Iterator<Item = (String, String)>,
    overrides: &Overrides,
) -> Result<Loaded, ConfigError> {
    let variables: BTreeMap<String, String> =
        env.filter(|(name, _)| name.starts_with(VARIABLE_PREFIX)).collect();
    let named = variables.get(FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    let mut reader = Reader::new(&overrides.base)?;
    if let Some(path) = file.map(Path::to_path_buf).or(named) {
        match read_file(&path) {
            Ok(text) => reader.file(&path, &text),
            Err(error) => reader.problem(
                Origin::File(path, 0),
                format!(
                    "cannot be read ({error}); name an existing file, or none for the defaults"
                ),
            ),
        }
    }
    reader.variables(&variables);
    reader.flags(&overrides.flags);
    reader.finish()
}

impl Config {
    /// Refuses values that cannot work, for options that did not come from [`load`].
    ///
    /// # Errors
    /// [`ConfigError`] with all of them.
    pub fn check(&self) -> Result<(), ConfigError> {
        complaints(self, &BTreeMap::new())
    }
}

impl ConfigError {
    /// What is wrong; never empty.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [problem] = self.0.as_slice() {
            return problem.fmt(f);
        }
        write!(f, "{} things in the configuration cannot work:", self.0.len())?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.text)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, 0) => path.display().fmt(f),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// Takes values one by one, so that every wrong one can be named.
struct Reader {
    /// The base, serialised: what keys there are, and of what kind.
    schema: Table,
    /// The schema with every accepted value laid over it.
    values: Table,
    origins: BTreeMap<String, Origin>,
    problems: Vec<Problem>,
}

impl Reader {
    fn new(base: &Config) -> Result<Self, ConfigError> {
        let schema = Table::try_from(base).map_err(|error| {
            let text = format!("cannot be written as TOML ({error}); paths must be UTF-8");
            ConfigError(vec![Problem { origin: Origin::Default, text }])
        })?;
        let values = schema.clone();
        Ok(Self { schema, values, origins: BTreeMap::new(), problems: Vec::new() })
    }

    fn file(&mut self, path: &Path, text: &str) {
        let at = |offset: usize| {
            let before = text.bytes().take(offset);
            Origin::File(path.to_path_buf(), 1 + before.filter(|byte| *byte == b'\n').count())
        };
        let (document, errors) = DeTable::parse_recoverable(text);
        if !errors.is_empty() {
            for error in errors {
                let offset = error.span().map_or(0, |span| span.start);
                self.problem(at(offset), format!("not TOML: {}", error.message()));
            }
            return;
        }
        for (section, content) in document.into_inner() {
            let name = section.get_ref().as_ref();
            if !self.schema.contains_key(name) {
                let text = match content.get_ref() {
                    DeValue::Table(_) => format!(
                        "unknown section `[{name}]`; the nearest is `[{}]`",
                        nearest(name, self.schema.keys().map(String::as_str))
                    ),
                    _ => self.unknown(name),
                };
                self.problem(at(section.span().start), text);
                continue;
            }
            let DeValue::Table(content) = content.into_inner() else {
                let text = format!("`{name}` is a section; write `[{name}]` and its keys below");
                self.problem(at(section.span().start), text);
                continue;
            };
            for (key, value) in content {
                self.accept(&format!("{name}.{}", key.get_ref()), value, |offset| {
                    at(offset.unwrap_or(key.span().start))
                });
            }
        }
        // Tables come sorted by key; people read from top to bottom.
        self.problems.sort_by_key(|problem| match problem.origin {
            Origin::File(_, line) => line,
            _ => 0,
        });
    }

    fn variables(&mut self, variables: &BTreeMap<String, String>) {
        let names: BTreeMap<String, String> =
            self.keys().map(|key| (variable_name(&key), key)).collect();
        for (name, value) in variables {
            if name == FILE_VARIABLE || is_service_link(name) {
                continue;
            }
            let origin = Origin::Variable(name.clone());
            match names.get(name) {
                Some(key) => self.text(key, value, &origin),
                None => {
                    let near = nearest(name, names.keys().map(String::as_str));
                    self.problem(origin, format!("unknown option; the nearest is `{near}`"));
                }
            }
        }
    }

    fn flags(&mut self, flags: &[Flag]) {
        for flag in flags {
            self.text(&flag.key, &flag.value, &Origin::Flag(flag.name.clone()));
        }
    }

    /// Takes a value that came as bare text.
    fn text(&mut self, key: &str, value: &str, origin: &Origin) {
        let Some(kind) = self.kind(key) else {
            let text = self.unknown(key);
            return self.problem(origin.clone(), text);
        };
        let toml = to_toml(value, kind);
        match DeValue::parse(&toml) {
            Ok(value) => self.accept(key, value, |_| origin.clone()),
            Err(_) => {
                let shown =
                    if is_secret(key) { "text".into() } else { format!("`{}`", shorten(value)) };
                let text = format!("`{key}`: found {shown}, expected {}", expected(kind));
                self.problem(origin.clone(), text);
            }
        }
    }

    /// Takes one value if its key exists and its kind fits. `at` turns a byte offset of the file
    /// into a place; `None` is the key itself.
    fn accept(
        &mut self,
        key: &str,
        value: Spanned<DeValue<'_>>,
        at: impl Fn(Option<usize>) -> Origin,
    ) {
        let Some(kind) = self.kind(key) else {
            let text = self.unknown(key);
            return self.problem(at(None), text);
        };
        if value.get_ref().type_str() != kind.type_str() {
            let shown = found(value.get_ref(), is_secret(key));
            let text = format!("`{key}`: found {shown}, expected {}", expected(kind));
            return self.problem(at(None), text);
        }
        match alone(key, value) {
            Ok(value) => {
                let (section, name) = split(key);
                if let Some(Value::Table(section)) = self.values.get_mut(section) {
                    section.insert(name.to_owned(), value);
                    self.origins.insert(key.to_owned(), at(None));
                }
            }
            Err(error) => {
                let why = plain(error.message(), is_secret(key));
                let offset = error.span().filter(|span| !span.is_empty()).map(|span| span.start);
                self.problem(at(offset), format!("`{key}`: {why}"));
            }
        }
    }

    fn finish(self) -> Result<Loaded, ConfigError> {
        let Self { values, origins, problems, .. } = self;
        if !problems.is_empty() {
            return Err(ConfigError(problems));
        }
        let config = Config::deserialize(values).map_err(|error| {
            ConfigError(vec![Problem { origin: Origin::Default, text: error.message().to_owned() }])
        })?;
        complaints(&config, &origins)?;
        Ok(Loaded { config, origins })
    }

    fn problem(&mut self, origin: Origin, text: String) {
        self.problems.push(Problem { origin, text });
    }

    fn unknown(&self, key: &str) -> String {
        let keys: Vec<String> = self.keys().collect();
        format!("unknown key `{key}`; the nearest is `{}`", nearest(key, keys.iter().map(|k| &**k)))
    }

    fn kind(&self, key: &str) -> Option<&Value> {
        let (section, name) = split(key);
        self.schema.get(section)?.as_table()?.get(name)
    }

    fn keys(&self) -> impl Iterator<Item = String> + '_ {
        self.schema
            .iter()
            .filter_map(|(section, keys)| Some((section, keys.as_table()?)))
            .flat_map(|(section, keys)| keys.keys().map(move |key| format!("{section}.{key}")))
    }
}

/// Reads one value as if it were the whole file, so that an error can only be about it.
fn alone(key: &str, value: Spanned<DeValue<'_>>) -> Result<Value, toml::de::Error> {
    let (section, name) = split(key);
    let kept = Value::deserialize(ValueDeserializer::from(value.clone()))?;
    let span = value.span();
    let mut keys = DeTable::new();
    keys.insert(Spanned::new(0..0, name.into()), value);
    let mut sections = DeTable::new();
    sections.insert(
        Spanned::new(0..0, section.into()),
        Spanned::new(span.clone(), DeValue::Table(keys)),
    );
    Config::deserialize(Deserializer::from(Spanned::new(span, sections)))?;
    Ok(kept)
}

fn complaints(config: &Config, origins: &BTreeMap<String, Origin>) -> Result<(), ConfigError> {
    let problems: Vec<Problem> = check::check(config)
        .into_iter()
        .map(|complaint| Problem {
            origin: origins.get(complaint.key).cloned().unwrap_or(Origin::Default),
            text: format!("`{}` is {}: {}", complaint.key, complaint.value, complaint.remedy),
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(ConfigError(problems)) }
}

fn split(key: &str) -> (&str, &str) {
    key.split_once('.').unwrap_or(("", key))
}

fn variable_name(key: &str) -> String {
    format!("{VARIABLE_PREFIX}{}", key.replace('.', "_").to_ascii_uppercase())
}

/// Kubernetes and Docker put such variables beside every program when a service is called `msnd`;
/// nobody meant them as options, and no section of ours has these names.
fn is_service_link(name: &str) -> bool {
    name == "MSND_PORT" || name.starts_with("MSND_PORT_") || name.starts_with("MSND_SERVICE_")
}
