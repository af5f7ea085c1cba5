"""What Docker's engine is asked by its API, and its answers.

The docker program starts anew for each of its lists, which costs a host more than all lists take the engine. So all
questions go over one connection: perl's, which starts five times as fast, to a socket of the host itself, else that of
`docker system dial-stdio`, which leads wherever docker's own settings say.
https://docs.docker.com/reference/api/engine/ has what is asked.
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

# ask REQUESTS: one connection, until the engine ends it. To the engine the end of what it is asked means that nobody
# waits for the answer any more: so perl never says it, and the fifo before docker stays open for writing meanwhile.
# A socket is taken where docker would take the same: DOCKER_HOST comes before all, then a context, from which only
# docker knows the way. perl without its modules knows the numbers of AF_UNIX and SOCK_STREAM as little as we: 75 says
# that nobody was reached, as where they are others. Requests fit into the socket's buffer, as they do into a word.
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

# listed REQUESTS TEMPLATE FORM: lists, that of containers last, to "$work/engine", and a line for each container. Of
# what the engine says of containers, labels and commands stay on the host: people put secrets there. Each is looked
# at through a form, which leaves such things out: `<State Status>` in it stands for what is at that path, null where
# nothing is. perl does all of it at one start; where it does not speak to the engine, docker fills in what says the
# same in its words, the template. Whether all were looked at, who reads it finds out. An id is what the first name of
# an object in a list has: in labels, people may give any name. An answer counts where it is one object, and whole:
# else docker is asked. perl ends a repeat without a word after some 32,000 rounds, so those that a container may fill
# are nested.
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
    """What the engine said to one request."""

    status: int
    body: bytes

    @property
    def data(self) -> Any:
        """What it found; raises `ValueError` where it refused, and for what is no JSON."""
        if self.status != OK:
            raise ValueError(f"the engine answered with status {self.status}")
        try:
            told = json.loads(self.body)
        except RecursionError:
            raise ValueError("an answer is nested too deep") from None
        if b"\\u" in self.body:  # a lone half of a pair would fail later, where nobody expects it
            json.dumps(told, ensure_ascii=False).encode()
        return told


def of_containers(*labels: str) -> str:
    """The path of the list of all containers with these labels, also those that do not run."""
    return f"/containers/json?all=1&filters={_filters(labels)}"


def of_networks(*labels: str) -> str:
    """The path of the list of networks with these labels."""
    return f"/networks?filters={_filters(labels)}"


def of_volumes(*labels: str) -> str:
    """The path of the list of volumes with these labels."""
    return f"/volumes?filters={_filters(labels)}"


def _filters(labels: Sequence[str]) -> str:
    return quote(json.dumps({"label": labels}))


def requests(paths: Sequence[str], *, tags: Sequence[tuple[str, str, str]] = ()) -> str:
    """Text that asks for all of `paths` on one connection, once each image of `tags` has its repository and tag.

    By HTTP/1.1 but for the last: what answers HTTP/1.0 stands there in one piece, and the connection ends behind it.
    """
    versions = ["1.1"] * (len(paths) - 1) + ["1.0"]
    tagging = "".join(
        f"POST /images/{image}/tag?{urlencode({'repo': repo, 'tag': tag})} HTTP/1.1\r\n{_HOST}Content-Length: 0\r\n\r\n"
        for image, repo, tag in tags
    )
    return tagging + "".join(f"GET {path} HTTP/{v}\r\n{_HOST}\r\n" for path, v in zip(paths, versions, strict=True))


def responses(stream: bytes) -> tuple[Response, ...]:
    """The answers on one connection, in order; raises `ValueError` for what is no HTTP or not whole (RFC 9112)."""
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
