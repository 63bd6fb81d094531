"""Reads mails (.eml) of a folder as another implementation does, and prints a list in JSON: whom each is
to, how it is unsubscribed from, and what its calendar part says."""

import json
import pathlib
import sys
from email import policy
from email.parser import BytesParser

from icalendar import Calendar


def main(folder):
    paths = sorted(pathlib.Path(folder).glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    print(json.dumps([read(path) for path in paths]))


def read(path):
    mail = BytesParser(policy=policy.default).parsebytes(path.read_bytes())
    parts = [part for part in mail.walk() if part.get_content_type() == "text/calendar"]
    return {
        "to": str(mail["To"]),
        "subject": str(mail["Subject"]),
        "unsubscribe": text(mail["List-Unsubscribe"]),
        "unsubscribe_post": text(mail["List-Unsubscribe-Post"]),
        "calendars": [calendar(part) for part in parts],
    }


def calendar(part):
    content = part.get_content()
    read = Calendar.from_ical(content)
    (event,) = read.events
    problems = [str(problem) for component in (read, event) for problem in component.errors]
    return {
        "method_of_part": part.get_content_type() and part["Content-Type"].params["method"],
        "method": str(read["METHOD"]),
        "uid": str(event["UID"]),
        "sequence": int(event["SEQUENCE"]),
        "status": str(event["STATUS"]),
        "start": event.start.isoformat(),
        "end": event.end.isoformat(),
        "summary": str(event["SUMMARY"]),
        "organizer": str(event["ORGANIZER"]),
        "attendee": str(event["ATTENDEE"]),
        "problems": problems,
    }


def text(header):
    return None if header is None else str(header)


main(sys.argv[1])
