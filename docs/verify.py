#!/usr/bin/env python3
"""Checks Efface's receipts, log entries and exported logs as docs/evidence.md describes them.

    python3 verify.py receipt|entry|log FILE... --key VKEY

Needs Python 3.8 and openssl 3.0, or newer, and nothing of Efface. Exit code 0: every file holds.
"""
import base64, hashlib, json, os, re, subprocess, sys, tempfile


class Refused(Exception):
    pass


def check(holds, why):
    if not holds:
        raise Refused(why)


def unbase64(text, size=None):
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise Refused("it is not in the form that Efface writes")
    check(base64.b64encode(raw).decode() == text and size in (None, len(raw)), "it is not in the form that Efface writes")
    return raw


def canonical(raw, members=None):
    """Reads JSON that must stand in its one canonical form, RFC 8785."""
    def refuse(_):
        raise ValueError
    try:
        value = json.loads(raw.decode(), parse_float=refuse, parse_constant=refuse)
        again = encoded(value)
    except (ValueError, RecursionError):
        raise Refused("it is not in the form that Efface writes")
    check(again == raw and isinstance(value, dict) and members in (None, set(value)), "it is not in the form that Efface writes")
    return value


def signed(public, message, signature):
    """Asks openssl whether a signature is that of an Ed25519 key. Where it can't be asked, the program ends."""
    try:
        with tempfile.TemporaryDirectory() as tmp:
            args = ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-rawin"]
            der = bytes.fromhex("302a300506032b6570032100") + public
            for flag, content in (("-inkey", der), ("-in", message), ("-sigfile", signature)):
                path = os.path.join(tmp, flag)
                with open(path, "wb") as f:
                    f.write(content)
                args += [flag, path]
            return subprocess.run(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except OSError as e:
        sys.exit("Nothing was checked: openssl 3.0 or newer is needed, and can't be run (%s)." % e)


def need_openssl():
    """Has openssl verify a known signature, RFC 8032 7.1 TEST 2: an older one lacks -rawin and would refuse every file."""
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                              "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00")
    if not signed(public, b"\x72", signature):
        sys.exit("Nothing was checked: openssl 3.0 or newer is needed, and the one here can't verify a known signature.")


class Key:
    """A verifier key: NAME+HASH+BASE64, the last being a byte 1 and an Ed25519 public key."""
    def __init__(self, text):
        try:
            self.name, hash_, encoded = text.strip().split("+", 2)
        except ValueError:
            raise Refused("give --key as efface log key printed it")
        raw = unbase64(encoded, 33)
        self.hash = hashlib.sha256(self.name.encode() + b"\n" + raw).digest()[:4]
        check(raw[0] == 1 and self.hash.hex() == hash_ and self.name.startswith("efface/"), "give --key as efface log key printed it")
        self.public = raw[1:]

    def verify(self, message, signature, what):
        raw = unbase64(signature, 68)
        check(raw[:4] == self.hash, what + " is not signed by the key " + self.name)
        check(signed(self.public, message, raw[4:]), what + " is not signed by the key " + self.name)


def checkpoint(note, key):
    """Verifies a signed note, and returns how many entries it signs and their root."""
    m = re.fullmatch(r"([^\n]+)\n(0|[1-9][0-9]{0,17})\n([^\n]+)\n\n\u2014 ([^ \n]+) ([^\n]+)\n", note)
    check(m and m[1] == m[4] == key.name, "the checkpoint is not in the form that Efface writes")
    root = unbase64(m[3], 32)
    key.verify(note[:m.end(3) + 1].encode(), m[5], "the checkpoint")
    return int(m[2]), root


def first_version(v):
    check(type(v) is int and v == 1, "it is of another version than 1")


def leaf(entry):
    return hashlib.sha256(b"\0" + entry).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def read_leaf(line):
    """Reads a line of the log: its index, its leaf hash, and whether that is all that is left of it."""
    if line.startswith(b'{"hash":'):
        entry = canonical(line, {"hash", "index"})
        return entry["index"], unbase64(entry["hash"], 32), True
    entry = canonical(line)
    first_version(entry.get("v"))
    return entry.get("index"), leaf(line), False


def included(index, h, proof, note, key):
    """Follows the audit path of RFC 9162, 2.1.3.2, from a leaf to the root that a checkpoint signs, and returns its size."""
    size, root = checkpoint(note, key)
    check(isinstance(proof, list), "the proof is not in the form that Efface writes")
    check(type(index) is int and 0 <= index < size, "its entry is not among the %d that the checkpoint signs" % size)
    n, last = index, size - 1
    for p in proof:
        p = unbase64(p, 32)
        check(last > 0, "the proof is too long")
        if n & 1 or n == last:
            h = node(p, h)
            while not n & 1 and n:
                n, last = n >> 1, last >> 1
        else:
            h = node(h, p)
        n, last = n >> 1, last >> 1
    check(last == 0, "the proof is too short")
    check(h == root, "the proof does not lead from entry %d to the checkpoint" % index)
    return size


def encoded(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def receipt(path, key):
    with open(path, "rb") as f:
        m = re.fullmatch(rb'\{"receipt":(\{.*\}),"signature":"([A-Za-z0-9+/=]+)"\}\n', f.read(), re.DOTALL)
    check(m, "it is not in the form that Efface writes")
    key.verify(m[1] + b"\n", m[2].decode(), "the receipt")
    r = canonical(m[1])
    first_version(r["v"])
    entry, request = r["entry"], r["request"]
    first_version(entry["v"])
    included(entry["index"], leaf(encoded(entry)), r["proof"], r["checkpoint"], key)
    counts = {name: r["counts"][name] for name in ("identifiers", "records")}
    for what, same in (("kind", (entry["kind"], entry["to"]) == ("request.completed", "completed")), ("id", entry["request"] == request["id"]),
                       ("batch", entry.get("batch") == request.get("batch")), ("origin", entry["origin"] == request["origin"]),
                       ("reference", entry.get("reference") == request.get("reference")),
                       ("completed_at", entry["time"] == request["completed_at"]), ("counts", entry["counts"] == counts)):
        check(same, "the receipt and its log entry do not agree in " + what)
    return "request %s was completed at %s" % (request["id"], request["completed_at"])


def placed(path, key):
    with open(path, "rb") as f:
        raw = f.read()
    check(raw.endswith(b"\n"), "it is not in the form that Efface writes")
    p = canonical(raw[:-1], {"checkpoint", "entry", "proof", "v"})
    first_version(p["v"])
    index, h, dropped = read_leaf(encoded(p["entry"]))
    size = included(index, h, p["proof"], p["checkpoint"], key)
    what = "only the hash is left of it" if dropped else "%s at %s" % (p["entry"]["kind"], p["entry"]["time"])
    return "entry %d of a log of %d: %s" % (index, size, what)


def log(path, key):
    roots, size, dropped = [], 0, 0  # the roots of the complete subtrees, the largest first
    with open(path, "rb") as f:
        for line in f:
            check(line.endswith(b"\n"), "after entry %d: the line is cut off" % (size - 1))
            line = line[:-1]
            if line.startswith(b'{"checkpoint":'):
                break
            index, h, gone = read_leaf(line)
            dropped += gone
            check(type(index) is int and index == size, "entry %d: another one stands in its place" % size)
            roots.append(h)
            n, size = size, size + 1
            while n & 1:
                roots[-2:] = [node(roots[-2], roots[-1])]
                n >>= 1
        else:
            raise Refused("the file ends without a checkpoint")
        check(not f.read(1), "lines follow the checkpoint")
    covered, root = checkpoint(canonical(line, {"checkpoint"})["checkpoint"], key)
    check(covered == size, "the checkpoint signs %d entries, and the file has %d" % (covered, size))
    h = roots.pop() if roots else hashlib.sha256(b"").digest()
    while roots:
        h = node(roots.pop(), h)
    check(h == root, "the entries are not those that the checkpoint signs")
    return "%d entries, of %d only the hash is left" % (size, dropped)


KINDS = {"receipt": receipt, "entry": placed, "log": log}


def main(args):
    if "--help" in args:
        print(__doc__)
        return 0
    if len(args) < 4 or args[0] not in KINDS or args[-2] != "--key":
        sys.exit(__doc__)
    failed = False
    key = Key(args[-1])
    need_openssl()
    for path in args[1:-2]:
        try:
            print("%s: holds: %s" % (path, KINDS[args[0]](path, key)))
        except OSError as e:
            failed = True
            print("%s: can't be read: %s" % (path, e.strerror))
        except (Refused, KeyError, TypeError, AttributeError) as e:
            failed = True
            print("%s: does not hold: %s" % (path, e if isinstance(e, Refused) else "a member is missing or of another kind"))
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Refused as e:
        sys.exit(str(e))
