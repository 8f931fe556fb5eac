package store_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// faultControl names, for a test binary that runs with testdata/fault.c loaded
// before libc, the file through which its disk is made to fail.
const faultControl = "EFFACE_FAULT_CONTROL"

// I5, and "Shared commits": the system refuses each write and sync of the
// database and its log in turn, once or from then on.
func TestAFailingDiskLosesNothingThatIsAcknowledged(t *testing.T) {
	if os.Getenv(faultControl) == "" {
		t.Parallel()
		runWithFaults(t)
		return
	}
	for name, c := range faults {
		t.Run(name, func(t *testing.T) {
			f := newFaulty(t)
			f.arm, f.fired = c.ready(t)
			f.strikeEach(t)
		})
	}
}

var faults = map[string]fault{
	"full once":      {errno: syscall.ENOSPC},
	"full from then": {errno: syscall.ENOSPC, forGood: true},
	"broken once":    {errno: syscall.EIO},
}

// runWithFaults runs the calling test again in a process whose disk can fail.
func runWithFaults(t *testing.T) {
	dir := t.TempDir()
	library, control := filepath.Join(dir, "fault.so"), filepath.Join(dir, "control")
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-o", library, "testdata/fault.c", "-ldl").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	if err := os.WriteFile(control, make([]byte, controlSize), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "LD_PRELOAD="+library, faultControl+"="+control)
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("with a failing disk: %v", err)
	}
}

// fault lets one write, sync or truncation of a file fail, or all from then on.
type fault struct {
	errno   syscall.Errno
	forGood bool
	keyring bool // strikes the keyring and its log, not the database's
}

// ready returns what lets the nth call from now on fail, and what ends that
// and reports whether it came to it.
func (f fault) ready(t *testing.T) (arm func(n int), fired func() bool) {
	t.Helper()
	control, err := os.OpenFile(os.Getenv(faultControl), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	m, err := unix.Mmap(int(control.Fd()), 0, controlSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(m) })
	numbers := unsafe.Slice((*int32)(unsafe.Pointer(&m[0])), 4)
	numbers[1], numbers[2], numbers[3] = int32(f.errno), 0, 0
	if f.forGood {
		numbers[2] = 1
	}
	if f.keyring {
		numbers[3] = 1
	}
	arm = func(n int) { atomic.StoreInt32(&numbers[0], int32(n)) }
	fired = func() bool {
		left := atomic.SwapInt32(&numbers[0], 0)
		return left == 0 || f.forGood && left == 1
	}
	return arm, fired
}

// controlSize is how large the file of [faultControl] is: four numbers.
const controlSize = 16
