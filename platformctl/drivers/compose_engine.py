"""Requests to the API of Docker's engine, and how its responses are read.

The docker program has to be started once for each list, which takes a host longer than the engine takes for all lists.
So all requests go over one connection: that of perl, which starts five times as fast, if docker would use a socket on
the host itself; else that of `docker system dial-stdio`, which leads wherever docker's own settings say.
The API is documented at https://docs.docker.com/reference/api/engine/.
"""

import io
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from platformctl.model.frozen import dataclass

OK, CREATED = 200, 201
IMAGES = "/images/json?all=1"
"""The path of the list of all images."""
_HOST = "Host: docker\r\n"
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?\r\n")

# ask REQUESTS: send the requests on one connection and print the responses until the engine closes it.
# The engine takes the end of its input to mean that nobody waits for the response any more. So perl never shuts down
# its sending side, and the fifo that docker reads stays open for writing until docker ends.
# own_socket sets `socket` only where docker would use the same one: DOCKER_HOST takes precedence, then a context, which
# only docker can resolve. perl without its modules does not know the numbers of AF_UNIX and SOCK_STREAM, so they are
# taken to be 1. Its exit status 75 means that the engine was not reached, also because a system has other numbers; then
# docker is used. Requests are never longer than one argument of a program, and as such fit into the socket's buffer.
ASK = r"""
own_socket() { socket=; config=${DOCKER_CONFIG:-$HOME/.docker}/config.json
  case ${DOCKER_HOST-} in
    unix:///*) socket=${DOCKER_HOST#unix://} ;;
    '') [ -z "${DOCKER_CONTEXT-}" ] || return
      [ ! -e "$config" ] || { grep -q currentContext "$config"; [ $? = 1 ]; } || return
      socket=/var/run/docker.sock ;;
  esac; }
ask() { own_socket
  if [ -S "$socket" ] && command -v perl >/dev/null; then
    perl -C0 -e 'alarm 60; socket(S, 1, 1, 0) && connect(S, pack("Sa*", 1, shift)) || exit 75;
      for ($said = 0; $said < length $ARGV[0]; $said += $n) { ($n = syswrite S, $ARGV[0], 65536, $said) || exit 74 }
      while ($n = sysread S, $told, 65536) { print $told or exit 74 }
      exit(defined $n ? 0 : 74)' "$socket" "$1"; spoke=$?
    [ "$spoke" = 75 ] || return "$spoke"
  fi
  need_work; [ -p "$work/ask" ] || mkfifo "$work/ask" || return
  exec 7<>"$work/ask"
  timeout -k 2 60 docker system dial-stdio <"$work/ask" 7>&- & printf '%s' "$1" >&7; wait $!; }
"""

# listed REQUESTS TEMPLATE FORM: write the responses, the list of containers last, to "$work/engine", and print one line
# for each container of that list.
# Labels and commands of containers never leave the host, because people put secrets there: they are emptied in the
# list, and a container is printed through FORM, which leaves them out. `<State Status>` in FORM stands for the value at
# that path, null where there is none. perl does all of it in one process. Where perl does not reach the engine, docker
# prints the same through TEMPLATE. Whether every listed container was printed is checked by the code that reads this.
# `Id` counts only as the first name of an object in the list: labels may have any name. A response that is not exactly
# one whole object is not used, and docker is asked instead. perl silently ends a repetition after some 32,000 rounds,
# so repetitions whose length a container can choose are nested.
LISTED = r"""
without_secrets() { sed -E '/^HTTP\/1\.0 /,$ {
    s/"Command": *"([^"\\]|\\.)*"/"Command":""/g
    s/"Labels": *\{("([^"\\]|\\.)*": *"([^"\\]|\\.)*",? *)*\}/"Labels":{}/g
  }' "$1"; }
listed() { own_socket
  if [ -S "$socket" ] && command -v perl >/dev/null; then
    perl -C0 -e 'alarm 60; $address = pack("Sa*", 1, shift); ($requests, $template, $form, $file) = splice @ARGV, 0, 4;
      $string = qr/"[^"\\]*+(?:(?:\\.[^"\\]*+){1,9999}+)*+"/s;
      $value = qr/($string|[\[{](?:(?:[^][{}"]++|$string|(?-1)){1,9999}+)*+[]}]|[^][{}",\s]++)/;
      sub at { my $in = shift;
        for my $name (@_) { $in =~ /\A\{/g or return "null";
          $fields{$in} ||= +{$in =~ /\G\s*($string)\s*:\s*$value\s*,?/g};
          $in = $fields{$in}{"\"$name\""} // return "null" }
        $in }
      sub told { my ($said, $told, $n) = (0, "");
        socket(S, 1, 1, 0) && connect(S, $address) || exit 75;
        for (; $said < length $_[0]; $said += $n) { ($n = syswrite S, $_[0], 65536, $said) || exit 69 }
        while ($n = sysread S, $told, 65536, length $told) {}
        defined $n or exit 69;
        $told }
      $lists = told($requests);
      $lists =~ /\A(?:.*\n|)(?=HTTP\/1\.0 )/sg or exit 69;
      $before = substr $lists, 0, pos $lists; $last = substr $lists, pos $lists;
      if ($last =~ /\AHTTP\/1\.0 200 /) {
        $last =~ /\r\n\r\n\s*$value\s*\z/ or exit 69;
        push @ids, $1 while $last =~ /[\[,]\s*\{\s*"Id"\s*:\s*"([0-9a-f]+)"/g }
      $last =~ s/"Command":\s*$string/"Command":""/g;
      $last =~ s/"Labels":\s*\{(?:(?:\s*$string\s*:\s*$string\s*,?){1,9999}+)*+\s*\}/"Labels":{}/g;
      open L, ">", $file and print L $before, $last and close L or exit 74;
      for $id (@ids) {
        $_ = told("GET /containers/$id/json HTTP/1.0\r\nHost: docker\r\n\r\n");
        /\AHTTP\/1\.0 200 / or exit 69;
        /\r\n\r\n\s*(?=\{)$value\s*\z/
          or exec(qw(docker inspect --type container --format), $template, @ids) or exit 69;
        $object = $1; ($line = $form) =~ s/<([^>]+)>/at($object, split " ", $1)/ge; $lines .= "$line\n" }
      print $lines or exit 74' "$socket" "$@" "$work/engine"; spoke=$?
    [ "$spoke" = 75 ] || return "$spoke"
  fi
  ask "$1" >"$work/said" || return 69
  without_secrets "$work/said" >"$work/engine" || return
  ids=$(awk -v RS='"' 'NR == 1 && /^HTTP\/1\.0 200 / || /\nHTTP\/1\.0 200 /, 0 {
    if (c ~ /[[,][ \n]*[{][ \n]*$/ && a == "Id" && b ~ /^: *$/ && /^[0-9a-f]+$/) print
    c = a; a = b; b = $0 }' "$work/said")
  [ -z "$ids" ] || docker inspect --type container --format "$2" $ids; }
"""


@dataclass(frozen=True)
class Response:
    """The engine's response to one request."""

    status: int
    body: bytes

    @property
    def data(self) -> Any:
        """The body, parsed; raises `ValueError` when the status is not 200 or the body is not valid JSON."""
        if self.status != OK:
            raise ValueError(f"the engine answered with status {self.status}")
        try:
            told = json.loads(self.body)
        except RecursionError:
            raise ValueError("an answer is nested too deep") from None
        if b"\\u" in self.body:  # fail here on a lone surrogate, which would else fail wherever the text is encoded
            json.dumps(told, ensure_ascii=False).encode()
        return told


def of_containers(*labels: str) -> str:
    """Return the path that lists all containers with these labels, including those that do not run."""
    return f"/containers/json?all=1&filters={_filters(labels)}"


def of_networks(*labels: str) -> str:
    """Return the path that lists the networks with these labels."""
    return f"/networks?filters={_filters(labels)}"


def of_volumes(*labels: str) -> str:
    """Return the path that lists the volumes with these labels."""
    return f"/volumes?filters={_filters(labels)}"


def _filters(labels: Sequence[str]) -> str:
    return quote(json.dumps({"label": labels}))


def requests(paths: Sequence[str], *, tags: Sequence[tuple[str, str, str]] = ()) -> str:
    """Return the HTTP text that gives each image of `tags` its repository and tag, then gets all `paths`.

    The last request uses HTTP/1.0: its response comes unchunked, and the engine closes the connection after it.
    """
    versions = ["1.1"] * (len(paths) - 1) + ["1.0"]
    tagging = "".join(
        f"POST /images/{image}/tag?{urlencode({'repo': repo, 'tag': tag})} HTTP/1.1\r\n{_HOST}Content-Length: 0\r\n\r\n"
        for image, repo, tag in tags
    )
    return tagging + "".join(f"GET {path} HTTP/{v}\r\n{_HOST}\r\n" for path, v in zip(paths, versions, strict=True))


def responses(stream: bytes) -> tuple[Response, ...]:
    """Return the responses on one connection, in order.

    Raises `ValueError` for what is no HTTP or incomplete (RFC 9112), `KeyError` for a response without a length.
    """
    return tuple(_each(io.BytesIO(stream)))


def _each(stream: io.BytesIO) -> Iterator[Response]:
    while line := stream.readline():
        status = _STATUS.fullmatch(line)
        if status is None:
            raise ValueError("a status line was expected")
        headers = dict(_headers(stream))
        if status[1] == b"0":
            body = stream.read()
        elif headers.get(b"transfer-encoding") == b"chunked":
            body = b"".join(_chunks(stream))
        else:
            body = _exactly(stream, int(headers[b"content-length"]))
        yield Response(int(status[2]), body)


def _headers(stream: io.BytesIO) -> Iterator[tuple[bytes, bytes]]:
    while (line := stream.readline()) != b"\r\n":
        name, colon, value = line.partition(b":")
        if not (colon and line.endswith(b"\r\n")):
            raise ValueError("a header was expected")
        yield name.strip().lower(), value.strip()


def _chunks(stream: io.BytesIO) -> Iterator[bytes]:
    while size := int(stream.readline(), 16):
        yield _exactly(stream, size)
        _end(stream)
    _end(stream)


def _end(stream: io.BytesIO) -> None:
    if stream.readline() != b"\r\n":
        raise ValueError("the end of a line was expected")


def _exactly(stream: io.BytesIO, size: int) -> bytes:
    body = stream.read(size)
    if size < 0 or len(body) != size:
        raise ValueError("an answer is cut short")
    return body
