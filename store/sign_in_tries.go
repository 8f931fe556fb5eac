package store

import (
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/efface/efface/store/erasure"
)

// tries names a count of failed sign-ins and says how many are free. The
// longest wait is short enough that nobody is locked out for ever, and a
// one-time link is not slowed at all.
type tries struct {
	who  [16]byte
	free int
}

const (
	// An account has one owner; from one address a whole office may sign in.
	accountFree = 5
	addressFree = 20
	longestWait = 15 * time.Minute
	triesForget = 24 * time.Hour
)

// Names that no account has are counted too, else a wait would tell which
// accounts exist.
func (db *DB) accountTries(email string) tries {
	return tries{db.digest("sign-in account", []byte(email)), accountFree}
}

// addressTries counts the 64 bits of an IPv6 address that one subscriber has.
func (db *DB) addressTries(from netip.Addr) tries {
	from = from.Unmap().WithZone("")
	if p, err := from.Prefix(64); err == nil && from.Is6() {
		from = p.Addr()
	}
	return tries{db.digest("sign-in address", from.AsSlice()), addressFree}
}

// wait is how long the next try has to wait after so many failed ones: 1 s
// once the free ones are used up, and twice as long after each more.
func (n tries) wait(failed int) time.Duration {
	if failed < n.free {
		return 0
	}
	return min(longestWait, time.Second<<min(failed-n.free, 20))
}

// countTry counts a try in each count, or refuses it where one has to wait. A
// refused try does not count, so that waiting always ends.
func (t *tx) countTry(counts ...tries) error {
	var wait time.Duration
	for _, c := range counts {
		left, err := t.waitLeft(c)
		if err != nil {
			return err
		}
		wait = max(wait, left)
	}
	if wait > 0 {
		return &erasure.Limited{Wait: wait}
	}
	for _, c := range counts {
		_, err := t.exec(`INSERT INTO sign_in_failures (who, count, last) VALUES ($1, 1, $2)
			ON CONFLICT (who) DO UPDATE SET last = excluded.last,
				count = CASE WHEN sign_in_failures.last > $3 THEN sign_in_failures.count + 1 ELSE 1 END`,
			c.who[:], t.hb.Store, t.hb.Store-triesForget.Milliseconds())
		if err != nil {
			return fmt.Errorf("counting a sign-in: %w", err)
		}
	}
	return nil
}

func (t *tx) waitLeft(c tries) (time.Duration, error) {
	var failed int
	var last int64
	err := t.row(`SELECT count, last FROM sign_in_failures WHERE who = $1`, c.who[:]).Scan(&failed, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading failed sign-ins: %w", err)
	}
	return c.wait(failed) - time.Duration(t.hb.Store-last)*time.Millisecond, nil
}

// forgive forgets all failed tries of an account that showed its password.
func (t *tx) forgive(c tries) error {
	_, err := t.exec(`DELETE FROM sign_in_failures WHERE who = $1`, c.who[:])
	return err
}

// takeBack takes back one try of an address: an account of one's own must not
// clear the way to try others.
func (t *tx) takeBack(c tries) error {
	_, err := t.exec(`UPDATE sign_in_failures SET count = count - 1 WHERE who = $1 AND count > 0`, c.who[:])
	return err
}
