//! A reply as the interface has it: one flat list.

use ::redis::{ServerError, Value};

use super::Error;
use super::bindings::RedisResult;

/// Lists in lists become one list, as in Spin; a nil in a list keeps its place, so the positions of
/// an `HMGET` or of a script's answer hold.
pub fn flatten(reply: Value) -> Result<Vec<RedisResult>, Error> {
    let mut results = Vec::new();
    append(reply, &mut results)?;
    Ok(results)
}

fn append(value: Value, results: &mut Vec<RedisResult>) -> Result<(), Error> {
    match value {
        Value::Nil => results.push(RedisResult::Nil),
        Value::Int(number) => results.push(RedisResult::Int64(number)),
        Value::Boolean(truth) => results.push(RedisResult::Int64(truth.into())),
        Value::Okay => results.push(RedisResult::Status("OK".into())),
        Value::SimpleString(status) => results.push(RedisResult::Status(status)),
        Value::BulkString(bytes) | Value::BigNumber(bytes) => {
            results.push(RedisResult::Binary(bytes));
        }
        Value::Double(number) => results.push(RedisResult::Binary(number.to_string().into())),
        Value::VerbatimString { text, .. } => results.push(RedisResult::Binary(text.into())),
        Value::Array(values) | Value::Set(values) | Value::Push { data: values, .. } => {
            for value in values {
                append(value, results)?;
            }
        }
        Value::Map(pairs) => {
            for (key, value) in pairs {
                append(key, results)?;
                append(value, results)?;
            }
        }
        Value::Attribute { data, .. } => append(*data, results)?,
        Value::ServerError(error) => return Err(refused(&error)),
        // The driver may learn new kinds of reply.
        other => {
            return Err(Error::Refused(format!(
                "the reply is not understood: {other:?}"
            )));
        }
    }
    Ok(())
}

fn refused(error: &ServerError) -> Error {
    if error.code() == "WRONGTYPE" {
        return Error::Type;
    }
    let details = error.details().unwrap_or_default();
    Error::Refused(format!("{} {details}", error.code()).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(reply: Value) -> String {
        format!("{:?}", flatten(reply).unwrap())
    }

    #[test]
    fn lists_in_lists_become_one_and_nils_keep_their_place() {
        let reply = Value::Array(vec![
            Value::Int(1),
            Value::Array(vec![Value::Nil, Value::BulkString(b"a".to_vec())]),
            Value::Okay,
            Value::Map(vec![(
                Value::SimpleString("k".into()),
                Value::Boolean(true),
            )]),
        ]);
        let expected = [
            RedisResult::Int64(1),
            RedisResult::Nil,
            RedisResult::Binary(b"a".to_vec()),
            RedisResult::Status("OK".into()),
            RedisResult::Status("k".into()),
            RedisResult::Int64(1),
        ];
        assert_eq!(flat(reply), format!("{expected:?}"));
    }

    #[test]
    fn an_empty_list_is_empty_and_a_nil_alone_is_a_nil() {
        assert_eq!(flat(Value::Array(vec![])), "[]");
        assert_eq!(flat(Value::Nil), format!("{:?}", [RedisResult::Nil]));
    }
}
