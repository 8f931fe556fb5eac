package erasure

// Form says how the values of a key are brought to the one form they are
// compared in.
type Form string

// The forms; see [Normalise].
const (
	FormExact Form = "exact"
	FormUUID  Form = "uuid"
	FormEmail Form = "email"
	FormPhone Form = "phone"
)

// The keys that Efface itself gives a meaning. Vendors' names for them are
// the vendors' own and stand with their routes.
const (
	KeyEffaceID    = "efface_id"
	KeyUserID      = "user_id"
	KeyCleverTapID = "clevertap_id"
	KeyAnonymousID = "anonymous_id"
	KeyEmail       = "email"
	KeyPhone       = "phone"
	KeyFBP         = "fbp"
	KeyGAClientID  = "ga_client_id"
	KeyGroupID     = "group_id"
)

// KeySpec is what holds for the identifiers of one key.
type KeySpec struct {
	Name       string
	Table      Table
	Form       Form
	OneProfile bool // a value leads to one profile at most
	OneValue   bool // a profile has one value at most; of efface_id, one current
	// Strength orders keys: what arrived goes to the profile that its
	// strongest identifier leads to. 0 is any key that Efface does not know.
	Strength int
	Known    bool // Efface knows the key, it was not made up by a source
}

// keySpecs is the table of keys, the strongest first. E-mail and phone are
// keys of an account too, so that they are found however they are typed; a
// member's own ids say nothing of the account.
var keySpecs = []KeySpec{
	{Name: KeyEffaceID, Table: User, Form: FormUUID, OneProfile: true, OneValue: true},
	{Name: KeyUserID, Table: User, Form: FormExact, OneProfile: true, OneValue: true},
	{Name: KeyCleverTapID, Table: User, Form: FormExact, OneProfile: true},
	{Name: KeyAnonymousID, Table: User, Form: FormExact, OneProfile: true},
	{Name: KeyEmail, Table: User, Form: FormEmail},
	{Name: KeyPhone, Table: User, Form: FormPhone},
	{Name: KeyFBP, Table: User, Form: FormExact},
	{Name: KeyGAClientID, Table: User, Form: FormExact},
	{Name: KeyEffaceID, Table: Group, Form: FormUUID, OneProfile: true, OneValue: true},
	{Name: KeyGroupID, Table: Group, Form: FormExact, OneProfile: true, OneValue: true},
	{Name: KeyEmail, Table: Group, Form: FormEmail},
	{Name: KeyPhone, Table: Group, Form: FormPhone},
}

// KeyOf returns what holds for a key of a table. Any name that Efface does not
// know is compared exactly, may lead to several profiles and may have several
// values.
func KeyOf(table Table, name string) KeySpec {
	for i, s := range keySpecs {
		if s.Table == table && s.Name == name {
			s.Strength, s.Known = len(keySpecs)-i, true
			return s
		}
	}
	return KeySpec{Name: name, Table: table, Form: FormExact}
}

// Keys lists the keys that Efface knows for a table, the strongest first.
func Keys(table Table) []KeySpec {
	var specs []KeySpec
	for _, s := range keySpecs {
		if s.Table == table {
			specs = append(specs, KeyOf(table, s.Name))
		}
	}
	return specs
}

// KeyNames lists the names of these keys.
func KeyNames(table Table) []string {
	var names []string
	for _, s := range Keys(table) {
		names = append(names, s.Name)
	}
	return names
}

// KeyNameLength is how long a key's name may be, in characters.
const KeyNameLength = 64

// CheckKeyName refuses what cannot name a key. Names are kept in the clear, so
// their alphabet leaves no room for an e-mail address or a bare number.
func CheckKeyName(name string) error {
	if name == "" {
		return Errorf(CodeInvalid, "Name the key of the identifier, such as email.").In("key")
	}
	if len(name) > KeyNameLength {
		return Errorf(CodeInvalid, "Shorten the key's name to %d characters.", KeyNameLength).In("key")
	}
	if name[0] < 'a' || name[0] > 'z' {
		return Errorf(CodeInvalid, "Begin the key's name with a lower-case letter.").In("key")
	}
	for _, r := range name {
		switch {
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '_', r == '.', r == '-':
		default:
			return Errorf(CodeInvalid, "Use only lower-case letters, digits and _ . - in the key's name.").In("key")
		}
	}
	return nil
}
