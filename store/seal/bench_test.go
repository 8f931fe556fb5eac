package seal_test

import (
	"fmt"
	"testing"

	"github.com/efface/efface/store/seal"
)

func BenchmarkMake(b *testing.B) {
	for _, n := range []int{1, 500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			k := newKeyring(b)
			for b.Loop() {
				makeKeys(b, k, n)
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "keys/s")
		})
	}
}

func BenchmarkKey(b *testing.B) {
	k := newKeyring(b)
	refs := refsOf(makeKeys(b, k, 10_000))
	i := 0
	for b.Loop() {
		if _, err := k.Key(b.Context(), refs[i%len(refs)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkTake(b *testing.B) {
	p := newPool(b, newKeyring(b), 4096, new(bootClock))
	for b.Loop() {
		take(b, p)
	}
}

func BenchmarkSeal(b *testing.B) {
	key := makeKeys(b, newKeyring(b), 1)[0]
	value, place := make([]byte, 200), seal.AD{Table: "identifiers", Column: "sealed", N: 3}
	for b.Loop() {
		key.Seal(value, place)
	}
}

func BenchmarkOpen(b *testing.B) {
	key := makeKeys(b, newKeyring(b), 1)[0]
	place := seal.AD{Table: "identifiers", Column: "sealed", N: 3}
	sealed := key.Seal(make([]byte, 200), place)
	for b.Loop() {
		if _, err := key.Open(sealed, place); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMAC(b *testing.B) {
	key := makeKeys(b, newKeyring(b), 1)[0]
	table, name, version, value := []byte("user"), []byte("email"), []byte{1}, []byte("ann@example.com")
	b.ReportAllocs()
	for b.Loop() {
		key.MAC(table, name, version, value)
	}
}

// BenchmarkDestroy destroys 500 keys and truncates, as the runner does.
func BenchmarkDestroy(b *testing.B) {
	k := newKeyring(b)
	for b.Loop() {
		b.StopTimer()
		refs := refsOf(makeKeys(b, k, 500))
		truncated(b, k)
		b.StartTimer()
		if err := k.Destroy(b.Context(), refs); err != nil {
			b.Fatal(err)
		}
		truncated(b, k)
	}
	b.ReportMetric(float64(500*b.N)/b.Elapsed().Seconds(), "keys/s")
}
