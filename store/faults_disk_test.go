package store_test

import (
	"os"
	"os/exec"
	"path/filepath"
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
	for name, c := range map[string]struct {
		errno   syscall.Errno
		forGood bool
	}{
		"full once":      {syscall.ENOSPC, false},
		"full from then": {syscall.ENOSPC, true},
		"broken once":    {syscall.EIO, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFaulty(t)
			f.failDisk(t, c.errno, c.forGood)
			f.strikeEach(t)
		})
	}
}

// runWithFaults runs the calling test again in a process whose disk can fail.
func runWithFaults(t *testing.T) {
	dir := t.TempDir()
	library, control := filepath.Join(dir, "fault.so"), filepath.Join(dir, "control")
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-o", library, "testdata/fault.c", "-ldl").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	if err := os.WriteFile(control, make([]byte, 12), 0o600); err != nil {
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

// failDisk lets the nth write or sync of the database's files fail.
func (f *faulty) failDisk(t *testing.T, errno syscall.Errno, forGood bool) {
	control, err := os.OpenFile(os.Getenv(faultControl), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	m, err := unix.Mmap(int(control.Fd()), 0, 12, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(m) })
	numbers := unsafe.Slice((*int32)(unsafe.Pointer(&m[0])), 3)
	numbers[1] = int32(errno)
	if forGood {
		numbers[2] = 1
	} else {
		numbers[2] = 0
	}
	f.arm = func(n int) { numbers[0] = int32(n) }
	f.fired = func() bool {
		left := numbers[0]
		numbers[0] = 0
		return left == 0 || forGood && left == 1
	}
}
