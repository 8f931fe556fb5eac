package store

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/efface/efface/store/erasure"
	"github.com/efface/efface/store/seal"
)

// keysFound is how the keyring and what the backup names fit together.
type keysFound struct {
	highest int64              // the last row, before anything was added
	live    keyNames           // without those that were destroyed before
	empty   keyNames           // destroyed in this keyring
	revived []seal.Ref         // destroyed before, and alive in this keyring
	erased  map[[16]byte]int64 // the rows of all that were destroyed before
	dead    map[erasure.RequestID][]deadFragment
	made    map[[16]byte]bool // since
	lost    []ofProfile       // fragments whose key is not in the keyring, or destroyed there
	gone    []ofProfile       // fragments of whom the lost witness would tell that they were erased
}

// deadFragment is one whose key was destroyed by a request.
type deadFragment struct {
	id, profile int64
	table       erasure.Table
	key         seal.Ref
}

// findKeys walks over the keyring and over what the backup names, and refuses a
// keyring that lacks the keys of people who were not erased.
func (db *DB) findKeys(ctx context.Context) (err error) {
	k := &db.restoring.keys
	k.made = map[[16]byte]bool{}
	if k.highest, err = db.keyring.MaxRow(ctx); err != nil {
		return err
	}
	if err := db.addErased(ctx); err != nil {
		return err
	}
	if err := db.addWhole(ctx); err != nil {
		return fmt.Errorf("reading what else the backup has of the erased: %w", err)
	}
	if err := db.walkKeyring(ctx, k); err != nil {
		return err
	}
	if err := db.walkFragments(ctx, k); err != nil {
		return err
	}
	db.restoring.Did.Lost, db.restoring.Did.Gone = len(k.lost), len(k.gone)
	if db.restoring.AcceptLoss {
		return nil
	}
	return k.refuseLoss()
}

// refuseLoss says whose data can't be read with this keyring, and what may help:
// keys that it lacks are in a newer one, and those destroyed there in an older one.
func (k *keysFound) refuseLoss() error {
	lacks, destroyed := map[int64]bool{}, map[int64]bool{}
	for _, f := range k.lost {
		if k.empty.has(f.key.ID) {
			destroyed[f.profile] = true
		} else {
			lacks[f.profile] = true
		}
	}
	switch {
	case len(lacks) > 0:
		return erasure.Errorf(erasure.CodeConflict, "This keyring lacks keys of people who were not erased, %d in all, so that what is held of them can't be read; use a newer copy of the keyring or, to delete what can't be read, add --accept-loss.", len(lacks))
	case len(destroyed) > 0:
		return erasure.Errorf(erasure.CodeConflict, "In this keyring keys are destroyed of people of whom the log lists no erasure, %d in all, as after a restore of an older backup with it; use a copy of the keyring from before that or, to delete what can't be read, add --accept-loss.", len(destroyed))
	}
	return nil
}

// addErased counts as destroyed the keys of whoever the backup has and a request
// was carried out for since. Mostly the log lists them; not where a restore before
// this one had lost them.
func (db *DB) addErased(ctx context.Context) error {
	for id, since := range db.restoring.history.requests {
		if since.destroyed.IsZero() {
			continue
		}
		if since.made == nil {
			if err := db.addKeys(ctx, id, `SELECT efface_id FROM requests WHERE id = $1`, id[:]); err != nil {
				return err
			}
		}
		for _, lost := range since.lost {
			if err := db.addKeys(ctx, id, `$1`, lost[:]); err != nil {
				return err
			}
		}
	}
	return nil
}

// addKeys counts as destroyed by a request the keys of the profile with a User
// ID, which is given as an expression.
func (db *DB) addKeys(ctx context.Context, id erasure.RequestID, efface string, arg any) error {
	rows, err := db.reads.QueryContext(ctx, `SELECT f.key_id FROM profiles p JOIN fragments f ON f.profile = COALESCE(p.leads_to, p.id)
		WHERE p.efface_id = (`+efface+`)`, arg)
	if err != nil {
		return err
	}
	erased := db.restoring.history.erased
	err = eachRow(rows, func(scan func(...any) error) error {
		var key [16]byte
		err := scan(scan16(&key))
		if _, listed := erased[key]; !listed {
			erased[key] = id
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("reading whom %s was for: %w", id, err)
	}
	return nil
}

// addWhole counts as destroyed all keys of a profile of which one was: an erasure
// is of a whole person. The backup has more of them than the erasure found where an
// older one had been restored in between.
func (db *DB) addWhole(ctx context.Context) error {
	rows, err := db.reads.QueryContext(ctx, `SELECT profile, key_id FROM fragments ORDER BY profile`)
	if err != nil {
		return err
	}
	var last int64
	var keys [][16]byte // of the last profile
	err = eachRow(rows, func(scan func(...any) error) error {
		var profile int64
		var key [16]byte
		err := scan(&profile, scan16(&key))
		if profile != last {
			db.restoring.history.addWhole(keys)
			last, keys = profile, keys[:0]
		}
		keys = append(keys, key)
		return err
	})
	db.restoring.history.addWhole(keys)
	return err
}

func (h *history) addWhole(keys [][16]byte) {
	i := slices.IndexFunc(keys, func(key [16]byte) bool { _, erased := h.erased[key]; return erased })
	if i < 0 {
		return
	}
	by := h.erased[keys[i]]
	for _, key := range keys {
		if _, erased := h.erased[key]; !erased {
			h.erased[key] = by
		}
	}
}

func (db *DB) walkKeyring(ctx context.Context, k *keysFound) error {
	k.erased = map[[16]byte]int64{}
	for after := int64(0); ; {
		refs, destroyed, err := db.keyring.Keys(ctx, after, sweepStep)
		if err != nil || len(refs) == 0 {
			slices.Sort(k.live)
			slices.Sort(k.empty)
			return err
		}
		after = refs[len(refs)-1].Row
		for i, ref := range refs {
			_, erased := db.restoring.history.erased[ref.ID]
			if erased {
				k.erased[ref.ID] = ref.Row
			}
			switch {
			case destroyed[i]:
				k.empty = append(k.empty, binary.BigEndian.Uint64(ref.ID[:]))
			case erased:
				k.revived = append(k.revived, ref)
			default:
				k.live = append(k.live, binary.BigEndian.Uint64(ref.ID[:]))
			}
		}
	}
}

func (db *DB) walkFragments(ctx context.Context, k *keysFound) error {
	k.dead = map[erasure.RequestID][]deadFragment{}
	claimed, err := db.claimedSince(ctx)
	if err != nil {
		return fmt.Errorf("reading who is being erased: %w", err)
	}
	for last := int64(0); ; {
		fs, err := db.fragmentsAfter(ctx, last)
		if err != nil || len(fs) == 0 {
			return err
		}
		for _, f := range fs {
			last = f.id
			id, erased := db.restoring.history.erased[f.key.ID]
			switch {
			case erased:
				k.dead[id] = append(k.dead[id], deadFragment{f.id, f.profile, f.table, f.key})
			case k.live.has(f.key.ID) || f.claimed || claimed[f.profile]:
			case db.restoring.WithoutWitness && k.empty.has(f.key.ID):
				k.gone = append(k.gone, f)
			default:
				k.lost = append(k.lost, f)
			}
		}
	}
}

// destroyErased destroys what was destroyed before, in the keyring that was put in
// place.
func (db *DB) destroyErased(ctx context.Context) error {
	revived := db.restoring.keys.revived
	slices.SortFunc(revived, func(a, b seal.Ref) int { return cmp.Compare(a.Row, b.Row) })
	if err := db.keyring.Destroy(ctx, revived); err != nil {
		return fmt.Errorf("destroying keys again: %w", err)
	}
	db.restoring.Did.Keys = len(revived)
	return truncateKeyring(ctx, db.keyring, func() { waitForReader(db.log) })
}

// unnamedKeys are those of what was stored after the backup. They are destroyed
// once that is in place: until then a newer backup may be wanted.
type unnamedKeys struct {
	Store [16]byte
	Refs  []seal.Ref
}

func (db *DB) findUnnamed(ctx context.Context) error {
	r := db.restoring
	r.Unnamed.Store = db.id
	err := db.eachUnnamed(ctx, r.keys.highest, func(refs []seal.Ref) error {
		r.Unnamed.Refs = append(r.Unnamed.Refs, refs...)
		return nil
	})
	r.Did.Unnamed = len(r.Unnamed.Refs)
	return err
}

func (u unnamedKeys) destroy(ctx context.Context, o Options) (err error) {
	if len(u.Refs) == 0 {
		return nil
	}
	master, err := seal.LoadMaster(o.MasterKey)
	if err != nil {
		return err
	}
	k, err := seal.OpenKeyring(o.Keyring, master, u.Store)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	if err := k.Destroy(ctx, u.Refs); err != nil {
		return err
	}
	return truncateKeyring(ctx, k, func() { waitForReader(o.Logger) })
}

func waitForReader(log *slog.Logger) {
	log.Warn("another program reads the keyring; the restore goes on once that ends")
}

// holds reports whether the keyring has a key that was never destroyed.
func (k *keysFound) holds(id [16]byte) bool { return k.live.has(id) || k.made[id] }
