package store

import (
	"github.com/efface/efface/store/erasure"
)

// redoAccounts takes away again what was taken from operators and API keys. Who
// set another password needs a link for a new one: the former may be known.
func (t *tx) redoAccounts() error {
	for _, e := range t.db.restoring.history.accounts {
		id := e.Target
		if id == nil {
			id = &e.Actor.ID
		}
		var err error
		switch e.Kind {
		case erasure.RoleChanged:
			_, err = t.exec(`UPDATE operators SET role = $1 WHERE id = $2`, string(e.ToRole), id[:])
		case erasure.OperatorDisabled, erasure.OperatorEnabled:
			_, err = t.exec(`UPDATE operators SET disabled = $1 WHERE id = $2`, e.Kind == erasure.OperatorDisabled, id[:])
		case erasure.PasswordChanged, erasure.LinkUsed:
			_, err = t.exec(`UPDATE operators SET password = '' WHERE id = $1`, id[:])
		case erasure.KeyRevoked:
			_, err = t.exec(`UPDATE api_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at = 0`, e.Time.UnixMilli(), id[:])
		}
		if err != nil {
			return err
		}
	}
	for _, query := range []string{`DELETE FROM sessions`, `DELETE FROM links`, `DELETE FROM finds`, `DELETE FROM sweeps`} {
		if _, err := t.exec(query); err != nil {
			return err
		}
	}
	return nil
}
