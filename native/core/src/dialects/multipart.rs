//! Reads a `multipart/form-data` body (RFC 7578) as it comes, for one field: `model`. Nothing is kept but what is not
//! read yet. Pure: bytes in, at any split.
//!
//! Strict on purpose. Whoever reads the body behind us decides by it what is asked for, so that whatever two readers could
//! take differently is refused: a second `model`, a bare LF before a boundary, a folded header, text around the parts.

use memchr::memmem::Finder;

/// Longest block of a part's headers, bytes.
const MAX_HEADERS: usize = 8 << 10;
/// Longest `model`, bytes: as in JSON.
const MAX_VALUE: usize = 256;

/// The field that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its value.
    pub value: String,
    /// Where the value begins in the body, bytes.
    pub start: u64,
}

/// Where the reader stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before the first boundary.
    Start,
    /// Behind a boundary.
    Boundary,
    /// In a part's headers.
    Headers,
    /// In a part's content. `true`: it is the field.
    Content(bool),
    /// Behind the last boundary.
    Closed,
}

/// The reader of one body.
#[derive(Debug)]
pub struct Form {
    /// LF and the delimiter; the CR before is looked at apart, so that a bare LF is seen.
    delimiter: Finder<'static>,
    at: At,
    /// What is not read yet, and where it begins in the body.
    rest: Vec<u8>,
    base: u64,
    field: Option<Field>,
}

impl Form {
    /// A reader of what `boundary` separates.
    pub fn new(boundary: &str) -> Form {
        let delimiter = Finder::new(&format!("\n--{boundary}")).into_owned();
        Form { delimiter, at: At::Start, rest: Vec::new(), base: 0, field: None }
    }

    /// The field, once its part came whole.
    pub fn field(&self) -> Option<&Field> {
        self.field.as_ref()
    }

    /// Whether the last boundary came.
    pub fn is_closed(&self) -> bool {
        self.at == At::Closed
    }

    /// Bytes kept.
    pub fn held(&self) -> usize {
        self.rest.len()
    }

    /// Reads on.
    ///
    /// # Errors
    /// With words for the caller, where the body is not what everybody reads in one way.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        self.rest.extend_from_slice(bytes);
        let mut read = 0;
        while let Some(more) = self.step(read)? {
            read += more;
        }
        self.rest.drain(..read);
        self.base += read as u64;
        Ok(())
    }

    /// How many bytes behind `from` are read now; `None` if more must come.
    fn step(&mut self, from: usize) -> Result<Option<usize>, &'static str> {
        let rest = &self.rest[from..];
        match self.at {
            At::Start => {
                let wanted = &self.delimiter.needle()[1..];
                if rest.len() < wanted.len() {
                    return if wanted.starts_with(rest) { Ok(None) } else { Err(NO_START) };
                }
                if !rest.starts_with(wanted) {
                    return Err(NO_START);
                }
                self.at = At::Boundary;
                Ok(Some(self.delimiter.needle().len() - 1))
            }
            At::Boundary => match rest {
                [b'\r', b'\n', ..] => {
                    self.at = At::Headers;
                    Ok(Some(2))
                }
                [b'-', b'-', ..] => {
                    self.at = At::Closed;
                    Ok(Some(2))
                }
                [] | [b'\r' | b'-'] => Ok(None),
                _ => Err("A boundary of the form goes on behind its end."),
            },
            At::Headers => {
                let Some(end) = memchr::memmem::find(rest, b"\r\n\r\n") else {
                    return if rest.len() > MAX_HEADERS {
                        Err("A part of the form has too long headers.")
                    } else {
                        Ok(None)
                    };
                };
                if end > MAX_HEADERS {
                    return Err("A part of the form has too long headers.");
                }
                let is_field = names_model(&rest[..end])?;
                if is_field && self.field.is_some() {
                    return Err("The form has the field 'model' twice. Send it once.");
                }
                self.at = At::Content(is_field);
                Ok(Some(end + 4))
            }
            At::Content(is_field) => self.content(from, is_field),
            At::Closed if rest.iter().all(|byte| matches!(byte, b'\r' | b'\n')) => Ok(None),
            At::Closed => Err("The form goes on behind its last boundary."),
        }
    }

    fn content(&mut self, from: usize, is_field: bool) -> Result<Option<usize>, &'static str> {
        let rest = &self.rest[from..];
        let Some(end) = self.delimiter.find(rest) else {
            if is_field {
                let most = MAX_VALUE + 1 + self.delimiter.needle().len();
                return if rest.len() > most { Err(BAD_MODEL) } else { Ok(None) };
            }
            // What may be the beginning of a delimiter is kept, and the byte before.
            let keep = self.delimiter.needle().len() + 1;
            return Ok(rest.len().checked_sub(keep).filter(|read| *read > 0));
        };
        if end == 0 || rest[end - 1] != b'\r' {
            return Err("A boundary of the form follows a bare LF.");
        }
        if is_field {
            let value = std::str::from_utf8(&rest[..end - 1]).ok().filter(|value| is_name(value)).ok_or(BAD_MODEL)?;
            self.field = Some(Field { value: value.to_owned(), start: self.base + from as u64 });
        }
        self.at = At::Boundary;
        Ok(Some(end + self.delimiter.needle().len()))
    }
}

const NO_START: &str = "The form does not begin with its boundary.";
const BAD_MODEL: &str = "The form's field 'model' must be a name of 1 to 256 bytes without control characters.";
const BAD_PART: &str = "A part of the form has headers that are not read by everybody in one way.";

fn is_name(value: &str) -> bool {
    (1..=MAX_VALUE).contains(&value.len()) && !value.chars().any(char::is_control)
}

/// Whether a part with these headers is the field `model`.
fn names_model(headers: &[u8]) -> Result<bool, &'static str> {
    let headers = std::str::from_utf8(headers).map_err(|_| BAD_PART)?;
    let (mut name, mut encoded) = (None, false);
    for line in headers.split("\r\n") {
        let (header, value) = line.split_once(':').ok_or(BAD_PART)?;
        let is_token = !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_token || value.contains(['\r', '\n', '\0']) {
            return Err(BAD_PART);
        }
        encoded |= header.eq_ignore_ascii_case("content-transfer-encoding");
        if header.eq_ignore_ascii_case("content-disposition") && name.replace(disposition(value)?).is_some() {
            return Err(BAD_PART);
        }
    }
    let name = name.ok_or("A part of the form has no name.")?;
    let is_model = name == "model";
    if is_model && encoded {
        return Err("The form's field 'model' must not be encoded.");
    }
    Ok(is_model)
}

/// The name of a part, by its `Content-Disposition`.
fn disposition(value: &str) -> Result<String, &'static str> {
    let (kind, mut rest) = value.split_once(';').ok_or("A part of the form has no name.")?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err(BAD_PART);
    }
    let mut name = None;
    loop {
        let (key, after) = rest.split_once('=').ok_or(BAD_PART)?;
        let key = key.trim();
        let (value, after) = parameter(after)?;
        if key.eq_ignore_ascii_case("name*") || (key.eq_ignore_ascii_case("name") && name.replace(value).is_some()) {
            return Err(BAD_PART);
        }
        let after = after.trim_start();
        match after.strip_prefix(';') {
            Some(more) if !more.trim().is_empty() => rest = more,
            None if !after.is_empty() => return Err(BAD_PART),
            _ => return name.ok_or("A part of the form has no name."),
        }
    }
}

/// One value, quoted or not, and what follows it.
fn parameter(text: &str) -> Result<(String, &str), &'static str> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return Ok((text[..end].trim().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok((value, &quoted[at + 1..])),
            '\\' => value.push(letters.next().ok_or(BAD_PART)?.1),
            letter => value.push(letter),
        }
    }
    Err(BAD_PART)
}

/// The boundary in a `content-type` of `multipart/form-data`, if it has one that everybody reads in one way.
pub fn boundary(content_type: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(content_type).ok()?;
    let (_, mut rest) = text.split_once(';')?;
    let mut found = None;
    loop {
        let (key, after) = rest.split_once('=')?;
        let (value, after) = parameter(after).ok()?;
        if key.trim().eq_ignore_ascii_case("boundary") && found.replace(value).is_some() {
            return None;
        }
        match after.trim_start().strip_prefix(';') {
            Some(more) if !more.trim().is_empty() => rest = more,
            _ => break,
        }
    }
    // RFC 2046 section 5.1.1, without the space, which some readers drop.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&byte);
    found.filter(|boundary| (1..=70).contains(&boundary.len()) && boundary.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part(name: &str, value: &str) -> String {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    }

    fn read(body: &str, step: usize) -> Result<Form, &'static str> {
        let mut form = Form::new("b");
        for piece in body.as_bytes().chunks(step) {
            form.push(piece)?;
        }
        Ok(form)
    }

    #[test]
    fn the_field_is_found_wherever_it_is() {
        let file = "--b\r\ncontent-disposition: form-data; name=file; filename=\"a;b\\\".wav\"\r\nContent-Type: audio/wav\r\n\r\n\r\n--bo\n--c\r\n--\r\n";
        for body in [
            part("model", "whisper") + file + "--b--\r\n",
            file.to_owned() + &part("model", "whisper") + "--b--",
            part("models", "x") + &part("Model", "y") + &part("model", "whisper") + &part("empty", "") + "--b--\r\n",
        ] {
            // A line that begins as the delimiter does is none.
            let body = body.replace("--bo", "--co");
            for step in [1, 2, 3, 7, 4096] {
                let form = read(&body, step).unwrap();
                let field = form.field().unwrap();
                assert_eq!(field.value, "whisper");
                assert_eq!(body.find("whisper"), Some(field.start as usize));
                assert!(form.is_closed() && form.held() < 8, "{}", form.held());
            }
        }
    }

    #[test]
    fn what_two_readers_could_take_differently_is_refused() {
        let model = part("model", "m");
        let head = |line: &str| format!("--b\r\n{line}\r\n\r\nx\r\n--b--");
        for body in [
            model.clone() + &part("model", "n") + "--b--",
            "x".to_owned() + &model,
            "\r\n".to_owned() + &model,
            model.clone() + "--bx\r\n",
            part("file", "x\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nn"),
            model.clone() + "--b--\r\n" + &part("model", "n"),
            head("Content-Disposition: form-data; name*=utf-8''model"),
            head("Content-Disposition: form-data; name=x; name=model"),
            head("Content-Disposition: form-data; name=x\r\nContent-Disposition: form-data; name=model"),
            head("Content-Disposition: form-data;\r\n name=model"),
            head("Content-Disposition : form-data; name=model"),
            head("Content-Disposition: attachment; name=model"),
            head("Content-Disposition: form-data; name=\"model"),
            head("Content-Disposition: form-data"),
            head("Content-Type: text/plain"),
            head("Content-Disposition: form-data; name=model\r\nContent-Transfer-Encoding: base64"),
            part("model", "") + "--b--",
            // Content that begins with what looks like a boundary: a reader that takes it for one finds another model.
            "--b\r\nContent-Disposition: form-data; name=x\r\n\r\n--b\r\n".to_owned() + &model[5..] + &model + &model,
            part("model", "a\tb") + "--b--",
            part("model", &"x".repeat(257)) + "--b--",
            format!("--b\r\nX: {}\r\n\r\nx\r\n--b--", "x".repeat(9000)),
        ] {
            for step in [1, 5, 1 << 20] {
                assert!(read(&body, step).is_err(), "{step}: {body:?}");
            }
        }
        assert!(read(&(part("model", &"x".repeat(256)) + "--b--"), 9).is_ok());
    }

    #[test]
    fn boundaries_are_plain() {
        for (value, wanted) in [
            ("multipart/form-data; boundary=abc", Some("abc")),
            ("multipart/form-data; charset=utf-8; boundary=\"a b\"", None),
            ("multipart/form-data;Boundary=\"a-b\"; x=y", Some("a-b")),
            ("multipart/form-data", None),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data; boundary=a; boundary=b", None),
        ] {
            assert_eq!(boundary(value.as_bytes()).as_deref(), wanted, "{value}");
        }
        assert_eq!(boundary(format!("multipart/form-data; boundary={}", "x".repeat(71)).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn every_split_reads_the_same(noise in "[a\r\n-]{0,60}", cuts in proptest::collection::vec(1usize..9, 1..6)) {
            let body = part("file", &noise) + &part("model", "m") + "--b--";
            let whole = read(&body, 1 << 20).map(|form| form.field().cloned());
            let mut form = Form::new("b");
            let (mut at, mut turn) = (0, 0);
            let mut split = Ok(());
            while at < body.len() && split.is_ok() {
                let end = (at + cuts[turn % cuts.len()]).min(body.len());
                split = form.push(&body.as_bytes()[at..end]);
                (at, turn) = (end, turn + 1);
            }
            prop_assert_eq!(whole, split.map(|()| form.field().cloned()));
        }
    }
}
