package erasure

import (
	"slices"
	"strings"
	"testing"
)

func TestKeysStandInTheOrderOfTheirStrength(t *testing.T) {
	for table, want := range map[Table][]string{
		User:  {"efface_id", "user_id", "clevertap_id", "anonymous_id", "email", "phone", "fbp", "ga_client_id"},
		Group: {"efface_id", "group_id", "email", "phone"},
	} {
		if got := KeyNames(table); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", table, got, want)
		}
		keys := Keys(table)
		for i := 1; i < len(keys); i++ {
			if keys[i].Strength >= keys[i-1].Strength {
				t.Errorf("%s: %s is not weaker than %s", table, keys[i].Name, keys[i-1].Name)
			}
		}
		if weakest := keys[len(keys)-1]; weakest.Strength <= KeyOf(table, "hubspot_user_id").Strength {
			t.Errorf("%s: %s is not stronger than a key that came with data", table, weakest.Name)
		}
	}
}

func TestEachKeyLeadsWhereTheDesignSays(t *testing.T) {
	for _, want := range []KeySpec{
		{Name: "efface_id", Table: User, Form: FormUUID, OneProfile: true, OneValue: true},
		{Name: "user_id", Table: User, Form: FormExact, OneProfile: true, OneValue: true},
		{Name: "clevertap_id", Table: User, Form: FormExact, OneProfile: true},
		{Name: "anonymous_id", Table: User, Form: FormExact, OneProfile: true},
		{Name: "email", Table: User, Form: FormEmail},
		{Name: "phone", Table: User, Form: FormPhone},
		{Name: "fbp", Table: User, Form: FormExact},
		{Name: "ga_client_id", Table: User, Form: FormExact},
		{Name: "group_id", Table: Group, Form: FormExact, OneProfile: true, OneValue: true},
	} {
		got := KeyOf(want.Table, want.Name)
		want.Strength, want.Known = got.Strength, true
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	for _, other := range []KeySpec{{Name: "intercom__visitor_id", Table: User}, {Name: "group_id", Table: User}, {Name: "user_id", Table: Group}} {
		other.Form = FormExact
		if got := KeyOf(other.Table, other.Name); got != other {
			t.Errorf("got %+v, want %+v", got, other)
		}
	}
}

func TestKeyNamesLeaveNoRoomForAPerson(t *testing.T) {
	for _, ok := range []string{"email", "hubspot_user_id", "ios.idfa", "facebook___fbp", "a", "x-1", strings.Repeat("k", KeyNameLength)} {
		if err := CheckKeyName(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for _, bad := range []string{"", "Email", "ann@example.com", "49711", "_uid", "a b", "a\x00", "é", strings.Repeat("k", KeyNameLength+1)} {
		if CodeOf(CheckKeyName(bad)) != CodeInvalid {
			t.Errorf("%q was accepted", bad)
		}
	}
}
