package faults_test

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/lab/workload"
)

// wrongPassword is in the application's complaint about its password.
const wrongPassword = "WRONGPASS "

func seeOldPasswordInStore(p *patient) {
	if got, secret := p.storePassword(), p.secret(); got != canary || secret == canary {
		p.Errorf("the store has the Secret's old password: %t, the Secret still has it: %t", got == canary, secret == canary)
	}
}

func mendStorePassword(p *patient) { p.restart() }

func seeOldPasswordInApplication(p *patient) {
	if got, secret := p.storePassword(), p.secret(); got != secret || secret == canary {
		p.Errorf("the store has the Secret's new password: %t, the Secret still has the old: %t", got == secret, secret == canary)
	}
}

func mendApplicationPassword(p *patient) { p.restartApplication() }

func seeNewline(p *patient) {
	if p.secret() != canary+"\n" || p.storePassword() != canary+"\n" {
		p.Error("the password has no newline in the Secret, or none in the store")
	}
}

func mendNewline(p *patient) {
	err := p.copy.EditSecret(p.Context(), "kubectl-edit", func(data map[string][]byte) {
		data[workload.PasswordKey] = []byte(strings.TrimSuffix(string(data[workload.PasswordKey]), "\n"))
	})
	if err != nil {
		p.Fatal(err)
	}
	p.restart()
	p.restartApplication()
}

// storePassword is the one that the running store started with.
func (p *patient) storePassword() string {
	p.Helper()
	s, there, err := p.copy.Store(p.Context())
	if err != nil || !there {
		p.Fatalf("the store's pod is there: %t, %v", there, err)
	}
	text, err := p.copy.Exec(p.Context(), s.Pod.Name, "redis-cli", "-e", "CONFIG", "GET", "requirepass")
	if err != nil {
		p.Fatal(err)
	}
	// Two lines of redis-cli's, and one newline of its own at the end.
	return strings.TrimSuffix(strings.TrimPrefix(text, "requirepass\n"), "\n")
}

func (p *patient) secret() string {
	p.Helper()
	live, err := p.copy.Clients.CoreV1().Secrets(p.copy.Namespace).Get(p.Context(), workload.Secrets, metav1.GetOptions{})
	if err != nil {
		p.Fatal(err)
	}
	return string(live.Data[workload.PasswordKey])
}

// restartApplication is kubectl rollout restart.
func (p *patient) restartApplication() {
	p.Helper()
	err := p.copy.EditApplication(p.Context(), "kubectl-rollout", func(template *corev1.PodTemplateSpec) {
		metav1.SetMetaDataAnnotation(&template.ObjectMeta, "kubectl.kubernetes.io/restartedAt", time.Now().UTC().Format(time.RFC3339))
	})
	if err != nil {
		p.Fatal(err)
	}
}
