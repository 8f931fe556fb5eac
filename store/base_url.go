package store

import "context"

// BaseURL is the scheme and host under which people reached the last server of
// the store, "" where there has been none: links that a command prints begin
// with it.
func (db *DB) BaseURL(ctx context.Context) (url string, err error) {
	err = db.reads.QueryRowContext(ctx, `SELECT base_url FROM store`).Scan(&url)
	return url, err
}

// SetBaseURL notes the address of a server that starts.
func (db *DB) SetBaseURL(ctx context.Context, url string) error {
	return db.write(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE store SET base_url = $1 WHERE base_url <> $2`, url, url)
		return err
	})
}
