"""Mail as a mail program shows it: mailboxes, alternatives and siblings, charsets, forwarded mails, encoded files."""

from __future__ import annotations

import base64
import binascii
import quopri
import struct
from email.message import EmailMessage
from types import SimpleNamespace

import making_msg
import pytest

from indexer.read import DEFAULT_LIMITS, read
from indexer.read.limits import Account, Source
from indexer.read.outlook_store import folder_messages
from labse_search.errors import Unreadable
from labse_search.records import Extraction, Note

HEADS = "From: Ann <ann@example.org>\nTo: bo@example.org\nSubject: The boat\nDate: Tue, 14 Nov 2023 10:00:00 +0100\n"


def parts(extraction: Extraction) -> dict[str, str]:
    """The text of each part; of several of one part, joined."""
    found: dict[str, str] = {}
    for unit in extraction.units:
        key = str(unit.place.get("attachment", unit.place.get("part", "")))
        found[key] = f"{found[key]}|{unit.text}" if key in found else unit.text
    return found


def multipart(kind: str, *inside: tuple[str, str], boundary: str = "B0") -> str:
    """A mail, or a part of one, of these (headers, text)."""
    body = "".join(f"--{boundary}\n{heads}\n\n{text}\n" for heads, text in inside)
    return f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\n{body}--{boundary}--\n'


PLAIN, HTML = "Content-Type: text/plain; charset=utf-8", "Content-Type: text/html; charset=utf-8"


@pytest.mark.parametrize("name", ["a.mbox", "Inbox", "mail.txt"])
def test_a_mailbox_is_read_mail_by_mail_with_or_without_extension(name: str) -> None:
    first = f"From ann@example.org Tue Nov 14 10:00:00 2023\n{HEADS}\nOne.\n>From here it goes on.\n\n"
    second = (
        "From bo@example.org Tue Nov 14 11:00:00 2023\nFrom: bo@example.org\n"
        "Subject: =?utf-8?b?0J/QsNCy0L7QtNC+0Lo=?=\n"
        "Date: Tue, 14 Nov 2023 11:00:00 +0100\n"
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n"
        + base64.b64encode("Вода поднялась.".encode()).decode() + "\n"
    )  # fmt: skip
    extraction = read(name, (first + second).encode())
    assert "Вода поднялась." in extraction.text and "Subject: Паводок" in extraction.text
    assert "\nFrom here it goes on." in extraction.text
    assert [unit.place["message"] for unit in extraction.units] == [1, 1, 2, 2]
    assert extraction.units[-1].place["title"] == "Паводок"
    assert extraction.holds == {"messages": 2}
    assert extraction.reader == "mbox (its structure)"


@pytest.mark.parametrize(
    "line",
    [
        "From ann@example.org Mon Jan  1 11:00:00 2024", "From - Mon, 1 Jan 2024 11:00:00",
        "From root Mon Jan  1 11:00:00 2024",
        "From 1756@xxx Mon Jan 01 11:00:00 +0000 2024", "From ann at example.org  Mon Jan  1 11:00:00 2024",
        "From MAILER-DAEMON Mon Jan  1 11:00:00 2024", "From Ann B <ann@example.org> Mon Jan  1 11:00:00 2024",
        "From ann@example.org Jan 1 11:00 2024", "From ann@example.org 2024-01-01 11:00:00",
        "From ann@example.org lun. janv. 1 11:00:00 2024", "From bob 2024-01-01 11:00:00",
        "From  Mon Jan  1 11:00:00 2024",
        "From ann at example.org (Ann Lee)  Mon Jan  1 11:00:00 2024", "From ann@example.org  01/01/24",
    ],
)  # fmt: skip
def test_a_sentence_that_begins_with_from_divides_no_mail(line: str) -> None:
    sentences = "From 2010 to 2020 we lived there.\nNote: it was nice.\n\nFrom May 2010 on, at 10:30:\nNote: nothing."
    mails = [f"{line}\n{HEADS}\n{text}\n\n" for text in ("One.", sentences, "Three.")]
    extraction = read("a.mbox", "".join(mails).encode())
    assert extraction.holds == {"messages": 3}
    assert sentences in extraction.text
    assert read("a.txt", sentences.encode()).kind == "text"
    assert sentences in read("a.eml", f"{HEADS}\n{sentences}".encode()).text


def test_a_mail_without_extension_and_one_of_apple_mail_are_mails() -> None:
    mail = f"{HEADS}Content-Transfer-Encoding: quoted-printable\nContent-Type: text/plain; charset=utf-8\n\nM=C3=B6we\n"
    apple = f"{len(mail.encode())}    \n{mail}" + '<?xml version="1.0"?><plist><integer>8590195713</integer></plist>'
    for name, content in (("1700000001.M1P2.host:2,S", mail), ("2231.emlx", apple), ("2231", apple)):
        extraction = read(name, content.encode())
        assert parts(extraction)["body"] == "Möwe"
        assert "8590195713" not in extraction.text


def test_a_note_with_headers_of_its_own_is_no_mail() -> None:
    assert read("a.md", b"Title: A note\nDate: 2023-11-14\nAuthor: Ann\n\nWords.").kind == "markdown"
    assert read("a.txt", b"From here to there:\nit is far.").kind == "text"


@pytest.mark.parametrize(
    "content",
    [
        f"\n\n{HEADS}\nHello.".encode(),
        f" \r\n\r\n{HEADS}\nHello.".replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + f"{HEADS}\nHello.".encode(),
        f"{HEADS}\nHello.".encode("utf-16"),
        f">From ann@example.org Tue Nov 14 10:00:00 2023\n{HEADS}\nHello.".encode(),
    ],
    ids=["blank lines", "blank lines of Windows", "mark of UTF-8", "UTF-16", "a mailbox's line"],
)
def test_what_stands_above_the_headers_is_no_body(content: bytes) -> None:
    assert parts(read("a", content))["body"] == "Hello."


def test_only_children_of_one_alternative_stand_for_each_other() -> None:
    both = multipart("alternative", (PLAIN, "Plain form."), (HTML, "<p>Plain form.</p>"), boundary="B1")
    heads, _, inner = both.partition("\n\n")
    mail = f"{HEADS}MIME-Version: 1.0\n" + multipart(
        "mixed", (heads, inner), (PLAIN, "After it."), (HTML, "<p>And a page.</p>")
    )
    assert parts(read("a.eml", mail.encode()))["body"] == "Plain form.|After it.|And a page."


def test_an_invitation_beside_the_text_is_read_too() -> None:
    event = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Lock repair\nEND:VEVENT\nEND:VCALENDAR"
    mail = f"{HEADS}MIME-Version: 1.0\n" + multipart(
        "alternative", (PLAIN, "Come."), (HTML, "<p>Come.</p>"), ("Content-Type: text/calendar", event)
    )
    assert parts(read("a.eml", mail.encode())) == {
        "headers": HEADS.replace("From", "Subject: The boat\nFrom")
        .replace("\nSubject: The boat\nDate", "\nDate")
        .strip(),
        "body": "Come.",
        "attachment 1": "Lock repair",
    }


def test_files_attached_to_the_form_that_is_not_shown_are_read() -> None:
    rich = multipart("mixed", (HTML, "<p>See below.</p>"), (f'{PLAIN}; name="a.txt"', "A pontoon."), boundary="B1")
    heads, _, inner = rich.partition("\n\n")
    mail = f"{HEADS}MIME-Version: 1.0\n" + multipart("alternative", (PLAIN, "See below."), (heads, inner))
    found = parts(read("a.eml", mail.encode()))
    assert (found["body"], found["a.txt"]) == ("See below.", "A pontoon.")


def test_a_stub_of_plain_text_is_no_stand_in_for_the_page() -> None:
    page = "<p>" + "Real words of the mail. " * 20 + "</p>"
    mail = f"{HEADS}MIME-Version: 1.0\n" + multipart("alternative", (PLAIN, "View as HTML."), (HTML, page))
    assert "Real words" in read("a.eml", mail.encode()).text


@pytest.mark.parametrize(
    ("charset", "encoding", "text"),
    [
        ("iso-2022-kr", "iso2022_kr", "등대는 밤새 켜져 있습니다"),
        ("utf-7", "utf-7", "Маяк светит всю ночь"),
        ("unicode-1-1-utf-7", "utf-7", "Маяк светит всю ночь"),
        ("hz-gb-2312", "hz", "港口的灯塔整夜亮着"),
        ("iso-2022-jp", "iso2022_jp", "灯台の明かり"),
        ("x-gbk", "gb18030", "港口的灯塔整夜亮着"),
        ("ks_c_5601-1987", "cp949", "등대는 밤새 켜져 있습니다"),
        ("x-mac-roman", "mac-roman", "Grüße aus Köln"),
        ("us-ascii", "utf-8", "Grüße aus Köln"),
        ("iso-8859-1", "utf-8", "Grüße aus Köln"),
        ("no-such-charset", "cp1252", "Grüße aus Köln: die Maße stimmen"),
        ("us-ascii", "iso2022_kr", "등대는 밤새 켜져 있습니다"),
        ("gb2312", "hz", "港口的灯塔整夜亮着"),
        ("us-ascii", "utf-7", "Маяк светит всю ночь"),
        ("iso-8859-1", "koi8-r", "Маяк светит всю ночь у входа в гавань"),
        ("koi8-r", "cp1251", "Маяк светит всю ночь у входа в гавань"),
        ('"windows-1250 (Polish)"', "cp1250", "Zażółć gęślą jaźń już dziś"),
    ],
)
def test_the_charset_that_a_mail_names_or_means(charset: str, encoding: str, text: str) -> None:
    mail = f"{HEADS}Content-Type: text/plain; charset={charset}\n\n".encode() + text.encode(encoding)
    assert parts(read("a.eml", mail))["body"] == text


def test_what_was_quoted_and_the_signature_are_kept_apart() -> None:
    text = (
        "Yes, on Friday.\n\nOn Tue, Nov 14, 2023 Bo wrote:\n> When does the boat go?\n>\n> Bo\n\n"
        "And bring oars.\n\n-- \nAnn Example\nHarbour office\n"
    )
    assert parts(read("a.eml", f"{HEADS}\n{text}".encode())) | {"headers": ""} == {
        "headers": "",
        "body": "Yes, on Friday.|And bring oars.",
        "quoted": "On Tue, Nov 14, 2023 Bo wrote:\nWhen does the boat go?\n\nBo",
        "signature": "-- \nAnn Example\nHarbour office",
    }


def test_an_older_mail_below_the_answer_is_quoted() -> None:
    text = "Ja, gern.\n\n-----Ursprüngliche Nachricht-----\nVon: Bo\nGesendet: Montag\nBetreff: Boot\n\nWann fährt es?"
    found = parts(read("a.eml", f"{HEADS}Content-Type: text/plain; charset=utf-8\n\n{text}".encode()))
    assert found["body"] == "Ja, gern." and "Wann fährt es?" in found["quoted"]


def test_quotes_and_signatures_in_a_page() -> None:
    page = '<p>Yes.</p><blockquote type="cite">When?</blockquote><div class="gmail_signature">Ann</div>'
    found = parts(read("a.eml", f"{HEADS}{HTML}\n\n{page}".encode()))
    assert (found["body"], found["quoted"], found["signature"]) == ("Yes.", "When?", "Ann")


@pytest.mark.parametrize("encoding", ["8bit", "base64"])
def test_forwarded_mails_are_read_in_any_encoding(encoding: str) -> None:
    inner = f"{HEADS.replace('boat', 'ferry')}\nInner words."
    packed = base64.encodebytes(inner.encode()).decode() if encoding == "base64" else inner
    heads = f"Content-Type: message/rfc822\nContent-Transfer-Encoding: {encoding}"
    mail = f"{HEADS}MIME-Version: 1.0\n" + multipart("mixed", (PLAIN, "See below."), (heads, packed))
    text = read("a.eml", mail.encode()).text
    assert "Inner words." in text and "Subject: The ferry" in text


def test_a_forwarded_mail_that_is_quoted_printable_as_a_whole_has_its_own_headers() -> None:
    inner = "Subject: =?utf-8?q?F=C3=A4hre?=\nFrom: c@example.org\n\nSüdufer"
    heads = "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable"
    packed = quopri.encodestring(inner.encode()).decode()
    text = read("a.eml", f"{HEADS}MIME-Version: 1.0\n{multipart('mixed', (heads, packed))}".encode()).text
    assert "Subject: Fähre" in text and "Südufer" in text


@pytest.mark.parametrize(
    "rest",
    [
        'Content-Transfer-Encoding: "base64"\n\nR3LDvMOfZQ==\n',
        "Content-Type: multipart/mixed\n\n--X\nContent-Type: text/plain; charset=utf-8\n"
        "Content-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe\n--X--\n",
    ],
    ids=["an encoding in quotes", "a boundary without a name"],
)
def test_a_part_with_damaged_headers_is_unpacked(rest: str) -> None:
    assert parts(read("a.eml", f"{HEADS}{rest}".encode()))["body"] == "Grüße"


def tnef(body: str, name: str, content: bytes) -> bytes:
    def attribute(level: int, identity: int, kind: int, data: bytes) -> bytes:
        return struct.pack("<BHHI", level, identity, kind, len(data)) + data + struct.pack("<H", sum(data) & 0xFFFF)

    return (
        b"\x78\x9f\x3e\x22\x01\x00"
        + attribute(1, 0x9006, 8, struct.pack("<I", 0x10000))
        + attribute(1, 0x800C, 2, body.encode() + b"\0")
        + attribute(2, 0x9002, 6, bytes(14))
        + attribute(2, 0x8010, 1, name.encode() + b"\0")
        + attribute(2, 0x800F, 6, content)
    )


def test_text_and_attachment_inside_winmail_dat() -> None:
    packed = base64.encodebytes(tnef("The quay is closed.", "a.txt", b"A pontoon.")).decode()
    heads = 'Content-Type: application/ms-tnef; name="winmail.dat"\nContent-Transfer-Encoding: base64'
    mail = f"{HEADS}MIME-Version: 1.0\n" + multipart("mixed", (PLAIN, "Hello."), (heads, packed))
    assert parts(read("a.eml", mail.encode())) | {"headers": ""} == {
        "headers": "",
        "body": "Hello.",
        "winmail.dat": "The quay is closed.",
        "winmail.dat/a.txt": "A pontoon.",
    }


def test_uuencoded_files_in_the_text_are_files() -> None:
    content = b"The key is in the pot."
    code = binascii.b2a_uu(content)
    mail = f"{HEADS}\nSee below.\n\nbegin 644 note.txt\n".encode() + code + b"`\nend\n\nbegin at nine.\n"
    found = parts(read("a.eml", mail))
    assert found["body"] == "See below.\n\n\n\nbegin at nine." and found["note.txt"] == content.decode()


def test_files_in_the_newer_form_of_uuencode_are_files() -> None:
    packed = base64.encodebytes("Grüße im Paket".encode()).decode()
    found = parts(read("a.eml", f"{HEADS}\nBelow.\nbegin-base64 644 a.txt\n{packed}====\n".encode()))
    assert (found["body"], found["a.txt"]) == ("Below.", "Grüße im Paket")


def test_files_in_yenc_are_files() -> None:
    content = "The key is in the pot."
    coded = bytes((byte + 42) % 256 for byte in content.encode())
    mail = f"{HEADS}\nBelow.\n\n=ybegin line=128 size={len(content)} name=note.txt\n".encode() + coded
    assert parts(read("a.eml", mail + b"\n=yend size=22\n"))["note.txt"] == content


def test_flowed_lines_are_one_and_asian_ones_without_a_space() -> None:
    heads = f"{HEADS}Content-Type: text/plain; charset=utf-8; format=flowed"
    assert parts(read("a.eml", f"{heads}\n\nThe boat \nsails.\n".encode()))["body"] == "The boat sails."
    assert parts(read("a.eml", f"{heads}; delsp=yes\n\n灯台の \n明かり\n".encode()))["body"] == "灯台の明かり"


def test_what_is_encrypted_is_named_and_what_only_signs_is_not() -> None:
    mail = f"{HEADS}MIME-Version: 1.0\n" + multipart(
        "mixed", (PLAIN, "Hello."), ("Content-Type: application/pgp-signature", "-----BEGIN PGP SIGNATURE-----"),
        ('Content-Type: application/pkcs7-mime; name="smime.p7m"', "0123"),
    )  # fmt: skip
    extraction = read("a.eml", mail.encode())
    assert extraction.notes == (Note("attachment_skipped", "smime.p7m: encrypted"),)
    assert extraction.holds == {"attachments": 1}


def asn1(tag: int, content: bytes, *, open_ended: bool = False) -> bytes:
    if open_ended:
        return bytes([tag | 0x20, 0x80]) + content + b"\0\0"
    length = len(content).to_bytes(2)
    return bytes([tag, 0x82]) + length + content


def signed(content: bytes, *, open_ended: bool = False) -> bytes:
    """PKCS #7 signed data as far as the content; without lengths, as OpenSSL writes it while it reads."""
    data, signed_data = (b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07" + kind for kind in (b"\1", b"\2"))
    middle = len(content) // 2
    pieces = asn1(4, content[:middle]) + asn1(4, content[middle:])
    octets = asn1(4, pieces, open_ended=True) if open_ended else asn1(4, content)

    def wrapped(tag: int, inner: bytes) -> bytes:
        return asn1(tag, inner, open_ended=open_ended)

    inner = wrapped(0x30, data + wrapped(0xA0, octets))
    return wrapped(0x30, signed_data + wrapped(0xA0, wrapped(0x30, b"\x02\1\1" + asn1(0x31, b"") + inner)))


@pytest.mark.parametrize("open_ended", [False, True])
def test_what_is_only_signed_is_read_as_what_it_is(open_ended: bool) -> None:
    inner = signed("Content-Type: text/plain; charset=utf-8\r\n\r\nGrüße aus Köln.".encode(), open_ended=open_ended)
    heads = 'Content-Type: application/pkcs7-mime; name="smime.p7m"\nContent-Transfer-Encoding: base64'
    mail = f"{HEADS}MIME-Version: 1.0\n{heads}\n\n{base64.encodebytes(inner).decode()}".encode()
    assert read("a.eml", mail).units[-1].text == "Grüße aus Köln."
    invoice = signed(b"<?xml version='1.0'?><a><b>Sum</b></a>", open_ended=open_ended)
    for file in (invoice, base64.encodebytes(invoice)):
        assert read("invoice.xml.p7m", file).text == "Sum"
    with pytest.raises(Unreadable) as caught:
        read("invoice.xml.p7m", invoice[:-30])
    assert caught.value.code == "damaged"


def test_an_outlook_message_without_the_extra_package_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from labse_search.errors import REASONS

    monkeypatch.setitem(sys.modules, "extract_msg", None)  # as if it were not installed
    content = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "__substg1.0_1000001F".encode("utf-16-le")
    with pytest.raises(Unreadable) as caught:
        read("a.msg", content)
    assert caught.value.code == "needs_package" and "extract-msg" in REASONS["needs_package"]


def test_an_outlook_store_without_the_extra_package_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from labse_search.errors import REASONS

    monkeypatch.setitem(sys.modules, "pypff", None)  # as if it were not installed
    with pytest.raises(Unreadable) as caught:
        read("mail.pst", b"!BDN" + bytes(600))
    assert caught.value.code == "needs_package"
    assert all(word in REASONS["needs_package"] for word in ("libpff-python", "readpst"))


def test_a_damaged_outlook_store_is_named() -> None:
    pytest.importorskip("pypff", reason="the extra package for .pst is not installed")
    with pytest.raises(Unreadable) as caught:
        read("mail.pst", b"!BDN" + bytes(600))
    assert caught.value.code == "damaged"


def stored(name: str = "", messages: list[object] | None = None, folders: list[object] | None = None) -> object:
    """A folder as libpff gives it."""
    messages, folders = messages or [], folders or []
    return SimpleNamespace(
        name=name, number_of_sub_messages=len(messages), get_sub_message=messages.__getitem__,
        number_of_sub_folders=len(folders), get_sub_folder=folders.__getitem__,
    )  # fmt: skip


def test_each_message_of_an_outlook_store_has_its_folder_and_its_attachments() -> None:
    attached = SimpleNamespace(long_filename="a.txt", size=11, read_buffer=lambda size: b"A pontoon.\n"[:size])
    message = SimpleNamespace(
        subject="The quay", sender_name="Ann", transport_headers="To: bo@example.org\r\n", client_submit_time=None,
        plain_text_body="Grüße.\r\n".encode(), html_body=None, rtf_body=None, number_of_attachments=1,
        get_attachment=lambda at: attached,
    )  # fmt: skip
    source = Source("mail.pst", b"", Account(DEFAULT_LIMITS), reader=lambda inner: read(inner.name, inner.content))
    extraction = folder_messages(source, stored(folders=[stored("Inbox", folders=[stored("2023", [message])])]))
    assert parts(extraction) == {
        "headers": "Subject: The quay\nFrom: Ann\nTo: bo@example.org", "body": "Grüße.", "a.txt": "A pontoon.\n",
    }  # fmt: skip
    assert dict(extraction.units[0].place) == {
        "message": 1, "title": "The quay", "section": "Inbox › 2023", "part": "headers",
    }  # fmt: skip
    assert extraction.holds == {"messages": 1, "attachments": 1}


def test_a_mail_with_attachments_says_how_many() -> None:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = "S", "a@example.org", "b@example.org"
    message.set_content("Hello.")
    message.add_attachment(b"\x89PNG....", maintype="image", subtype="png", filename="a.png")
    message.add_attachment("Words.", filename="b.txt")
    extraction = read("a.eml", message.as_bytes())
    assert extraction.holds == {"attachments": 2}
    assert extraction.notes == (Note("attachment_skipped", "a.png: unsupported"),)


def test_an_outlook_message_is_read_as_mail() -> None:
    pytest.importorskip("extract_msg", reason="the extra package for .msg is not installed")
    extraction = read("a.msg", making_msg.msg("The quay", "It is closed.\r\n", ("note.txt", b"A pontoon.")))
    assert parts(extraction) == {"headers": "Subject: The quay", "body": "It is closed.", "note.txt": "A pontoon."}
    assert (extraction.kind, extraction.title) == ("msg", "The quay")
