"""The text of a mail's body, with what was quoted and the signature kept apart."""

from __future__ import annotations

import re
from collections.abc import Iterator

from indexer.read.clean import clean
from labse_search.records import Unit

_QUOTE = re.compile(r"[ \t]{0,3}[>|]")
_SIGNATURE = re.compile(r"(?:-- ?|_{5,}|-{2,3}|—)\s*")
# "On Tuesday, Ann wrote:", in the words of other languages too; it announces a quotation on the next lines.
_WROTE = re.compile(
    r"(?i)(?=.{0,300}$).*(?:\b(?:wrote|writes|schrieb|schreef|skrev|escribió|escreveu|ha scritto|napsal\(a\)|kirjoitti|"
    r"napisał\(a\)|написал\(?а?\)?|пишет|пише|a écrit|a scris|írta|yazdı)\b.{0,40}[:：]?|"
    r".*(?:写道|寫道|のメール|님이 작성))\s*[:：]?\s*$"
)
# The line above an older mail that was left below the answer.
_ORIGINAL = re.compile(
    r"(?i)\s*-{2,}\s*(?:original message|original-nachricht|ursprüngliche nachricht|message d'origine|mensaje original|"
    r"messaggio originale|oorspronkelijk bericht|mensagem original|исходное сообщение|пересылаемое сообщение|"
    r"forwarded message|weitergeleitete nachricht|原始邮件|元のメッセージ)\s*-*\s*$"
)
_FORWARDED = re.compile(r"(?i)forward|weitergeleitet|пересыла")
_FROM = re.compile(r"(?i)\*?(?:from|von|de|da|van|från|fra|od|от|发件人|寄件者|差出人|보낸 사람)\*?\s?[:：]\s?\S")
_SENT = re.compile(
    r"(?i)\*?(?:sent|date|gesendet|datum|envoyé|date|enviado|fecha|inviato|data|verzonden|skickat|дата|отправлено|发送时间|"
    r"送信日時|보낸 날짜)\*?\s?[:：]\s?\S"
)

_ANY_MARK = re.compile(r"\n[ \t]{0,3}[>|]|\n\s*-{2,} ?\w|\n\*?[^\W\d]{1,9}(?: [^\W\d]{1,6})?\*?\s?[:：]")


def body_units(text: str) -> list[Unit]:
    """A unit for what was written, and for each stretch that was quoted or is the signature: "part" says which."""
    units = []
    for part, lines in _stretches(text.split("\n")):
        inside = clean("\n".join(lines)).strip("\n").rstrip()
        if inside.strip():
            units.append(Unit(inside, {"part": part}))
    return units


def _stretches(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    parts = _parts(lines)
    begin = 0
    for at in range(1, len(lines) + 1):
        if at == len(lines) or parts[at] != parts[begin]:
            yield parts[begin], [_unquoted(line) if parts[begin] == "quoted" else line for line in lines[begin:at]]
            begin = at


def _parts(lines: list[str]) -> list[str]:
    """What each line belongs to."""
    parts = ["body"] * len(lines)
    if not _ANY_MARK.search("\n".join(["", *lines])):
        _mark_signature(lines, parts)
        return parts
    below = False  # everything from here on is an older mail
    for at, line in enumerate(lines):
        if not below and _begins_older_mail(lines, at):
            below = True
        if below or _QUOTE.match(line):
            parts[at] = "quoted"
    _announce_quotes(lines, parts)
    _fill_gaps(lines, parts)
    _mark_signature(lines, parts)
    return parts


def _begins_older_mail(lines: list[str], at: int) -> bool:
    line = lines[at]
    if _ORIGINAL.match(line):
        return not _FORWARDED.search(line)  # what is passed on is what the mail is about
    if at and _FROM.match(line.strip()):
        return any(_SENT.match(later.strip()) for later in lines[at + 1 : at + 3])
    return False


def _announce_quotes(lines: list[str], parts: list[str]) -> None:
    if "quoted" not in parts:
        return
    for at, line in enumerate(lines):
        if parts[at] != "body" or not line.strip():
            continue
        following = next((n for n in range(at + 1, min(at + 4, len(lines))) if lines[n].strip()), at)
        if following > at and parts[following] == "quoted":
            if _WROTE.match(line):
                parts[at] = "quoted"
                above = lines[at - 1] if at else ""
                if parts[at - 1] == "body" and re.match(r"(?i)(?:on|am|le|el|il|op|den|w dniu)\b.{0,200}$", above):
                    parts[at - 1] = "quoted"


def _fill_gaps(lines: list[str], parts: list[str]) -> None:
    """Empty lines inside a quotation belong to it."""
    if "quoted" not in parts:
        return
    at = 0
    while at < len(lines):
        if lines[at].strip():
            at += 1
            continue
        end = at
        while end < len(lines) and not lines[end].strip():
            end += 1
        if at and end < len(lines) and parts[at - 1] == parts[end]:
            parts[at:end] = [parts[end]] * (end - at)
        at = end


def _mark_signature(lines: list[str], parts: list[str]) -> None:
    """From "-- " to the end of what was written, if that is short."""
    last = next((at for at in range(len(parts) - 1, -1, -1) if parts[at] == "body" and lines[at].strip()), -1)
    for at in range(last, max(-1, last - 15), -1):
        if parts[at] != "body":
            return
        marked = _SIGNATURE.fullmatch(lines[at])
        if marked and any(line.strip() for line in lines[:at]):
            parts[at : last + 1] = ["signature"] * (last + 1 - at)
            return


def _unquoted(line: str) -> str:
    return re.sub(r"^(?:[ \t]{0,3}[>|])+ ?", "", line)


def unflowed(text: str, *, delete_space: bool) -> str:
    """format=flowed (RFC 3676): a line that ends with a space goes on in the next one."""
    lines: list[str] = []
    flows = False
    for line in text.split("\n"):
        line = line.removeprefix(" ") if line.startswith((" ", " >")) and not line.startswith("  ") else line
        if flows and not line.startswith(">"):
            lines[-1] = (lines[-1][:-1] if delete_space else lines[-1]) + line
        else:
            lines.append(line)
        flows = line.endswith(" ") and line != "-- " and not line.startswith(">")
    return "\n".join(lines)
