package store

import (
	"context"
	"fmt"
	"runtime"

	"github.com/alexedwards/argon2id"
	"golang.org/x/text/unicode/norm"
)

// The first of OWASP's equivalent settings for argon2id: 46 MiB, one pass.
var hashing = argon2id.Params{Memory: 46 * 1024, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// nobodysHash is compared with where an account is unknown, so that the same
// work is done as for a wrong password. No password is known to fit it.
const nobodysHash = "$argon2id$v=19$m=47104,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// hashSlots keeps a flood of sign-ins from taking more memory and processors
// than there are.
var hashSlots = make(chan struct{}, runtime.NumCPU())

func withHashSlot(ctx context.Context, do func() error) error {
	select {
	case hashSlots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-hashSlots }()
	return do()
}

// hashPassword takes tens of milliseconds, so it runs outside a write.
func hashPassword(ctx context.Context, password string) (hash string, err error) {
	err = withHashSlot(ctx, func() error {
		hash, err = argon2id.CreateHash(norm.NFC.String(password), &hashing)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("hashing a password: %w", err)
	}
	return hash, nil
}

// verifier says whether a password fits a hash.
type verifier func(ctx context.Context, password, hash string) (bool, error)

func verifyPassword(ctx context.Context, password, hash string) (fits bool, err error) {
	err = withHashSlot(ctx, func() error {
		fits, err = argon2id.ComparePasswordAndHash(norm.NFC.String(password), hash)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("comparing a password: %w", err)
	}
	return fits, nil
}
