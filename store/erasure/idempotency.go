package erasure

// CodeKeyReused refuses an Idempotency-Key that came with another call before.
const CodeKeyReused Code = "idempotency_key_reused"

// IdempotencyKeyLength is how long an Idempotency-Key may be, in bytes.
const IdempotencyKeyLength = 255

// CheckIdempotencyKey refuses what is no Idempotency-Key: 1 to 255 visible
// ASCII characters.
func CheckIdempotencyKey(key string) error {
	if key == "" || len(key) > IdempotencyKeyLength {
		return Errorf(CodeInvalid, "Give one Idempotency-Key of 1 to %d characters.", IdempotencyKeyLength)
	}
	for _, r := range key {
		if r < ' ' || r > '~' {
			return Errorf(CodeInvalid, "Use only visible ASCII characters in the Idempotency-Key.")
		}
	}
	return nil
}
