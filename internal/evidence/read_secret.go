package evidence

import "bytes"

// readSecret reads what is known about the Secret with the store's password.
// Its values came here replaced.
func (r *reader) readSecret() {
	if r.bundle.Secrets == nil {
		r.unknown("secret", FileSecrets)
		return
	}
	one := Secret{Name: r.target.Secret, Key: r.target.SecretKey}
	for i := range r.bundle.Secrets.Items {
		secret := &r.bundle.Secrets.Items[i]
		if secret.Name != one.Name {
			continue
		}
		value, there := secret.Data[one.Key]
		one.Exists, one.HasKey, one.Empty = true, there, there && len(value) == 0
		one.Newline = bytes.HasSuffix(value, []byte("\n"))
		one.Managers, one.Written = managersOf(secret.ObjectMeta), secret.CreationTimestamp.Time
		if n := len(one.Managers); n > 0 && one.Managers[n-1].At.After(one.Written) {
			one.Written = one.Managers[n-1].At
		}
	}
	r.evidence.Secret = one
}
