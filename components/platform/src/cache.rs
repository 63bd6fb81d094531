//! Redis, over the connection that the manifest grants. What is here can be lost: whoever reads
//! it knows what to do without.

use spin_sdk::redis::{self, Connection, RedisParameter, RedisResult};
use spin_sdk::variables;

const URL_VARIABLE: &str = "redis_url";
const KEY_PREFIX_VARIABLE: &str = "redis_key_prefix";

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Do without, or try later.
    #[error("the cache is unavailable")]
    Unavailable,
    /// A mistake of ours: a variable, a key of another type, a script.
    #[error("the cache refused: {0}")]
    Broken(String),
}

/// A connection, for as long as one request or event takes.
pub struct Cache {
    connection: Connection,
    prefix: String,
}

/// A Lua script, which runs as one step; its parts one after the other.
pub struct Script(pub &'static [&'static str]);

impl Cache {
    pub async fn open() -> Result<Self, Error> {
        let url = variable(URL_VARIABLE).await?;
        let prefix = variable(KEY_PREFIX_VARIABLE).await?;
        let connection = Connection::open(url).await?;
        Ok(Self { connection, prefix })
    }

    /// What every key of ours begins with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Runs a script and gives its answer, lists in lists as one list; none for each nil.
    pub async fn run(
        &self,
        script: &Script,
        keys: &[String],
        arguments: &[String],
    ) -> Result<Vec<Option<String>>, Error> {
        let source = script.0.concat();
        let digest = sha1_smol::Sha1::from(&source).digest().to_string();
        let count = keys.len().to_string();
        let with = |first: &str| {
            let head = [text(first), text(&count)].into_iter();
            let rest = keys.iter().chain(arguments).map(|argument| text(argument));
            head.chain(rest).collect()
        };
        let answer = match self.execute("EVALSHA", with(&digest)).await {
            // The server was restarted, or has never seen it.
            Err(Error::Broken(cause)) if cause.to_uppercase().contains("NOSCRIPT") => {
                self.execute("EVAL", with(&source)).await?
            }
            answer => answer?,
        };
        Ok(answer.into_iter().map(into_text).collect())
    }

    /// As `run`, of a script that says one word or sentence.
    pub async fn said(
        &self,
        script: &Script,
        keys: &[String],
        arguments: &[String],
    ) -> Result<String, Error> {
        let answer = self.run(script, keys, arguments).await?;
        let first = answer.into_iter().next().flatten();
        first.ok_or_else(|| Error::Broken("the script gave no answer".into()))
    }

    /// Takes keys away; not all need to be there.
    pub async fn unlink(&self, keys: &[String]) -> Result<(), Error> {
        let keys = keys.iter().map(|key| text(key)).collect();
        self.execute("UNLINK", keys).await?;
        Ok(())
    }

    async fn execute(
        &self,
        command: &str,
        arguments: Vec<RedisParameter>,
    ) -> Result<Vec<RedisResult>, Error> {
        Ok(self.connection.execute(command, arguments).await?)
    }
}

async fn variable(name: &str) -> Result<String, Error> {
    let value = variables::get(name).await;
    value.map_err(|error| Error::Broken(format!("variable {name}: {error}")))
}

fn text(text: &str) -> RedisParameter {
    RedisParameter::Binary(text.as_bytes().to_vec())
}

fn into_text(result: RedisResult) -> Option<String> {
    match result {
        RedisResult::Nil => None,
        RedisResult::Status(status) => Some(status),
        RedisResult::Int64(number) => Some(number.to_string()),
        RedisResult::Binary(bytes) => String::from_utf8(bytes).ok(),
    }
}

impl From<redis::Error> for Error {
    fn from(error: redis::Error) -> Self {
        match error {
            redis::Error::InvalidAddress => Self::Broken("the address is not valid".into()),
            redis::Error::TooManyConnections => Self::Unavailable,
            redis::Error::TypeError => Self::Broken("a value has another type".into()),
            redis::Error::Other(cause) if is_an_answer(&cause) => Self::Broken(cause),
            redis::Error::Other(_) => Self::Unavailable,
        }
    }
}

/// Whether the server answered, if only with an error; else it was not reached.
fn is_an_answer(cause: &str) -> bool {
    const ANSWERS: [&str; 5] = ["NOSCRIPT", "WRONGTYPE", "RESPONSEERROR", "ERR ", "NOPERM"];
    let cause = cause.to_uppercase();
    ANSWERS.iter().any(|answer| cause.contains(answer))
}
