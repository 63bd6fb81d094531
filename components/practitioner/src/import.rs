//! `POST /v1/practitioners:import`: NDJSON in, NDJSON out, batch by batch.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::SinkExt as _;
use futures::channel::mpsc::Sender;
use http_body_util::BodyExt as _;
use praxis_domain::FieldError;
use praxis_domain::patience::Patience;
use praxis_domain::practitioner::{Editor, Line, Lines, PRACTITIONER_BYTES_MAX, Practitioner};
use praxis_platform::database::{self, Database};
use praxis_platform::problem::Problem;
use praxis_platform::request::Request;
use praxis_platform::response;
use serde::Serialize;
use spin_sdk::http::{StatusCode, body, box_body};
use spin_sdk::wasip3;
use spin_sdk::wasip3::http_compat::IncomingRequestBody;
use uuid::Uuid;

use crate::directory::{self, NOT_KEPT, Saved, ZONE_IN_USE};
use crate::{Response, editor, places, stranded};

/// Lines of one request; what comes after is not read.
const IMPORT_LINES_MAX: u64 = 100_000;
/// Lines saved by one statement.
const BATCH_LINES_MAX: usize = 200;
/// How often a batch is tried where others change the same or the database is away: 5 s of pauses at most.
/// Once that was not enough, the next batch is tried once only, until one is saved.
const BATCH_TRIES_MAX: u32 = 8;

const AWAY: &str = "is not known to be saved, since the database is away: send it again";
const IN_THE_WAY: &str = "was not saved, since others change the same now: send it again";
const MISTAKE: &str = "was not saved, by a mistake on our side, which is in the log";
const NOT_COUNTED: &str = "could not be counted now: ask for the practitioner's stranded-bookings";

/// What became of a line: a line of the answer.
#[derive(Serialize)]
struct Outcome {
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    practitioner_id: Option<Uuid>,
    status: Status,
    /// How many bookings have no place in the new hours; none is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    stranded_bookings: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Created,
    Updated,
    Unchanged,
    /// Something is wrong with the line.
    Rejected,
    /// Nothing is known to be wrong with the line: it may be sent again.
    Failed,
}

/// The answer begins once the token is known to be good and the database to be there. Should the
/// database go away after that, the lines that it did not take are told as failed, and the next are tried.
pub async fn post(request: Request) -> Response {
    let prepared = async {
        let editor = editor(&request.claims()?)?;
        let database = Database::open_for(request.traceparent()).await?;
        // A connection may be made only when it is used.
        database.row("select 1", Vec::new()).await?;
        Ok::<_, Problem>((editor, database))
    };
    let (editor, database) = match prepared.await {
        Ok(prepared) => prepared,
        Err(problem) => return response::of(Err(problem)).map(box_body),
    };
    let (answer, stream) = body::stream::<Bytes>();
    let import = Import {
        database,
        editor,
        answer,
        batch: Vec::new(),
        patience: Patience::of(BATCH_TRIES_MAX),
    };
    wasip3::spawn(async move {
        if let Err(broken) = import.run(request.into_body()).await {
            eprintln!("an import broke off: {broken}");
        }
    });
    let mut response = Response::new(box_body(stream));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/x-ndjson"),
    );
    response
}

/// Why an import stops before its end.
#[derive(Debug)]
enum Broken {
    /// Nobody listens to the answer any more.
    AnswerRefused,
    BodyEndedEarly,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AnswerRefused => write!(f, "nobody reads the answer"),
            Self::BodyEndedEarly => write!(f, "the body ended early"),
        }
    }
}

struct Import {
    database: Database,
    editor: Editor,
    answer: Sender<Bytes>,
    /// Lines that are read, but not answered.
    batch: Vec<(u64, Result<Practitioner, Vec<FieldError>>)>,
    patience: Patience,
}

impl Import {
    async fn run(mut self, mut body: IncomingRequestBody) -> Result<(), Broken> {
        let mut lines = Lines::default();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Broken::BodyEndedEarly)?;
            let Some(bytes) = frame.data_ref() else {
                continue;
            };
            for line in lines.feed(bytes) {
                if line.number > IMPORT_LINES_MAX {
                    self.flush().await?;
                    return self.refuse_rest(line.number).await;
                }
                self.take(line).await?;
            }
        }
        if let Some(line) = lines.finish() {
            self.take(line).await?;
        }
        self.flush().await
    }

    async fn take(&mut self, line: Line) -> Result<(), Broken> {
        let parsed = match &line.text {
            Some(text) => Practitioner::parse(text, None, &self.editor),
            None => Err(vec![FieldError::new(
                "",
                format!("must have {PRACTITIONER_BYTES_MAX} bytes at most"),
            )]),
        };
        // One statement changes a row once at most.
        let again = parsed.as_ref().is_ok_and(|one| {
            let mut held = self.batch.iter().filter_map(|(_, held)| held.as_ref().ok());
            held.any(|held| held.id == one.id)
        });
        if again || self.batch.len() == BATCH_LINES_MAX {
            self.flush().await?;
        }
        self.batch.push((line.number, parsed));
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        let batch = std::mem::take(&mut self.batch);
        let good: Vec<_> = batch
            .iter()
            .filter_map(|(_, parsed)| parsed.as_ref().ok())
            .collect();
        let saved = directory::save(&self.database, &good, &mut self.patience).await;
        let stranded = self.stranded(&good, &saved).await;
        if saved.iter().all(Result::is_ok) && !saved.is_empty() && stranded.is_ok() {
            self.patience.restore();
        }
        let mut saved = saved.into_iter();
        let outcomes: Vec<_> = batch
            .into_iter()
            .map(|(line, parsed)| match parsed {
                Ok(one) => {
                    let saved = saved.next().expect("every good line has an outcome");
                    let outcome = match saved {
                        Ok(saved) => outcome(line, one.id, saved, &self.editor),
                        Err(error) => failed(line, one.id, &error),
                    };
                    outcome.with_stranded(&stranded)
                }
                Err(errors) => refused(Status::Rejected, line, None, errors),
            })
            .collect();
        self.tell(&outcomes).await
    }

    /// How many bookings of each are stranded, where any are.
    async fn stranded(
        &mut self,
        good: &[&Practitioner],
        saved: &[Result<Saved, database::Error>],
    ) -> Result<BTreeMap<Uuid, usize>, database::Error> {
        // What was tried before may be updated already, and unchanged now.
        let counts = |saved: &Saved| match saved {
            Saved::Updated => true,
            Saved::Unchanged => self.patience.was_tried(),
            _ => false,
        };
        let counted = good.iter().zip(saved);
        let counted = counted.filter(|(_, saved)| saved.as_ref().is_ok_and(counts));
        let counted: Vec<_> = counted.map(|(one, _)| one.id).collect();
        let database = &self.database;
        let totals = async || stranded::totals(database, &counted).await;
        let totals = directory::patiently(&mut self.patience, directory::is_for_now, totals).await;
        totals.inspect_err(|error| eprintln!("stranded bookings were not counted: {error}"))
    }

    async fn refuse_rest(&mut self, line: u64) -> Result<(), Broken> {
        let detail = format!("is beyond the {IMPORT_LINES_MAX} lines of one request");
        let errors = vec![FieldError::new("", detail)];
        self.tell(&[refused(Status::Rejected, line, None, errors)])
            .await
    }

    async fn tell(&mut self, outcomes: &[Outcome]) -> Result<(), Broken> {
        let mut text = Vec::new();
        for outcome in outcomes {
            serde_json::to_writer(&mut text, outcome).expect("outcomes are plain JSON");
            text.push(b'\n');
        }
        if text.is_empty() {
            return Ok(());
        }
        self.answer
            .send(text.into())
            .await
            .map_err(|_| Broken::AnswerRefused)
    }
}

fn outcome(line: u64, id: Uuid, saved: Saved, editor: &Editor) -> Outcome {
    let done = |status| Outcome {
        line,
        practitioner_id: Some(id),
        status,
        stranded_bookings: None,
        errors: Vec::new(),
    };
    let refused = |pointer: &str, detail: &str| {
        let errors = vec![FieldError::new(pointer, detail)];
        refused(Status::Rejected, line, Some(id), errors)
    };
    match (saved, editor) {
        (Saved::Created, _) => done(Status::Created),
        (Saved::Updated, _) => done(Status::Updated),
        (Saved::Unchanged, _) => done(Status::Unchanged),
        (Saved::SubjectTaken, _) => refused("/subject", "belongs to another practitioner"),
        (Saved::ZoneInUse, _) => refused("/time_zone", ZONE_IN_USE),
        (Saved::PersonOfAnotherTenant, _) => refused("/person_id", places::OF_ANOTHER_TENANT),
        (Saved::TooManyPlaces, _) => refused("/person_id", &places::too_many()),
        (Saved::BookedTwice, _) => refused("/person_id", places::BOOKED_TWICE),
        (Saved::NotKept, _) => refused("", NOT_KEPT),
        // Lines say nothing of versions.
        (Saved::Changed(_), _) => refused("", "has changed in the meantime"),
        (Saved::OfAnotherTenant, Editor::Operator) => refused("/tenant", "cannot be changed"),
        (Saved::OfAnotherTenant, Editor::Staff { .. }) => {
            refused("/practitioner_id", "is not one of your tenant's")
        }
    }
}

/// A line whose practitioner was not saved, or is not known to be, and why.
fn failed(line: u64, id: Uuid, error: &database::Error) -> Outcome {
    let detail = match error {
        database::Error::Unavailable => AWAY,
        database::Error::Contention => IN_THE_WAY,
        database::Error::Constraint(_) | database::Error::Broken(_) => {
            eprintln!("line {line} of an import was not saved: {error}");
            MISTAKE
        }
    };
    let errors = vec![FieldError::new("", detail)];
    refused(Status::Failed, line, Some(id), errors)
}

fn refused(
    status: Status,
    line: u64,
    practitioner_id: Option<Uuid>,
    errors: Vec<FieldError>,
) -> Outcome {
    Outcome {
        line,
        practitioner_id,
        status,
        stranded_bookings: None,
        errors,
    }
}

impl Outcome {
    /// And how many bookings have no place any more. Where nobody could count them, that is said: nothing
    /// would mean none.
    fn with_stranded(mut self, stranded: &Result<BTreeMap<Uuid, usize>, database::Error>) -> Self {
        match (stranded, &self.status, self.practitioner_id) {
            (Ok(totals), _, Some(id)) => self.stranded_bookings = totals.get(&id).copied(),
            (Err(_), Status::Updated | Status::Unchanged, _) => {
                self.errors = vec![FieldError::new("/stranded_bookings", NOT_COUNTED)];
            }
            _ => {}
        }
        self
    }
}
