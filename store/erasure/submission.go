package erasure

// Submission is what one call asked for: a batch, or a request that is in
// none. One of the two is set.
type Submission struct {
	Batch   *Batch
	Request *Request
}

// ID is the id of the one that is set.
func (s Submission) ID() string {
	if s.Batch != nil {
		return s.Batch.ID.String()
	}
	return s.Request.ID.String()
}
