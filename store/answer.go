package store

// commit is a group of jobs with what the witness is to be told of it.
type commit struct {
	group []*job
	told  []testimony
}

// commitsAhead is how many groups may be committed before the witness has the
// first of them.
const commitsAhead = 8

// answer answers the groups in their order, each once the witness has it: while
// it is being written there, the next ones are committed.
func (w *writer) answer() {
	for c := range w.commits {
		all := []commit{c}
		for n := len(w.commits); n > 0; n-- {
			all = append(all, <-w.commits)
		}
		var told []testimony
		for _, c := range all {
			told = append(told, c.told...)
		}
		err := w.db.writeWitness(told)
		for _, c := range all {
			for _, j := range c.group {
				if j.err == nil {
					j.err = err
				}
				close(j.done)
			}
		}
	}
}
