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

/// A Lua script, which runs as one step.
pub struct Script(pub &'static str);

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

    /// The fields of a hash, in order, in one round trip; none for each that is not there.
    pub async fn fields(&self, key: &str, fields: &[String]) -> Result<Vec<Option<String>>, Error> {
        let arguments = std::iter::once(key).chain(fields.iter().map(String::as_str));
        let values = self.execute("HMGET", arguments.map(text).collect()).await?;
        if values.len() != fields.len() {
            let detail = format!("HMGET gave {} of {} values", values.len(), fields.len());
            return Err(Error::Broken(detail));
        }
        Ok(values.into_iter().map(into_text).collect())
    }

    /// Runs a script on one key and gives its answer, a status or a text.
    pub async fn run(
        &self,
        script: &Script,
        key: &str,
        arguments: &[String],
    ) -> Result<String, Error> {
        let digest = sha1_smol::Sha1::from(script.0).digest().to_string();
        let with = |first: &str| {
            let head = [text(first), text("1"), text(key)];
            head.into_iter()
                .chain(arguments.iter().map(|argument| text(argument)))
                .collect()
        };
        let answer = match self.execute("EVALSHA", with(&digest)).await {
            // The server was restarted, or has never seen it.
            Err(Error::Broken(cause)) if cause.to_uppercase().contains("NOSCRIPT") => {
                self.execute("EVAL", with(script.0)).await?
            }
            answer => answer?,
        };
        answer
            .into_iter()
            .next()
            .and_then(into_text)
            .ok_or_else(|| Error::Broken("the script gave no answer".into()))
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
