-- The daily sweep: when it was last done, by the store's time, and how far the
-- keyring reached then. Only keys that were there at the sweep before may go.
CREATE TABLE sweeps (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    done    INTEGER NOT NULL,
    highest INTEGER NOT NULL
);

CREATE INDEX suppressions_expires ON suppressions (expires);
CREATE INDEX idempotency_expires ON idempotency (expires);
