package evidence

import "golang.org/x/mod/sumdb/tlog"

// Frontier grows a tree of which it keeps the right edge only. The zero value is
// the tree of no entries.
type Frontier struct {
	size  int64
	roots []tlog.Hash // of the complete subtrees, the largest first
}

// Add adds the next entry by its hash.
func (f *Frontier) Add(leaf tlog.Hash) {
	f.roots = append(f.roots, leaf)
	for n := f.size; n&1 == 1; n >>= 1 {
		last := len(f.roots) - 1
		f.roots[last-1] = tlog.NodeHash(f.roots[last-1], f.roots[last])
		f.roots = f.roots[:last]
	}
	f.size++
}

// Size is how many entries were added.
func (f *Frontier) Size() int64 { return f.size }

// Root is the hash of the tree.
func (f *Frontier) Root() tlog.Hash {
	if f.size == 0 {
		h, _ := tlog.TreeHash(0, nil)
		return h
	}
	h := f.roots[len(f.roots)-1]
	for i := len(f.roots) - 2; i >= 0; i-- {
		h = tlog.NodeHash(f.roots[i], h)
	}
	return h
}
