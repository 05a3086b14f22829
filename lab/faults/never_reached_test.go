package faults_test

import (
	corev1 "k8s.io/api/core/v1"

	"redis-session-bot/lab/workload"
)

func seeNoEndpoints(p *patient) {
	if pods := p.pods(); len(pods) != 1 {
		p.Errorf("%d pods are there", len(pods))
	}
	p.serviceIsEmpty()
	p.answers()
}

func mendSelector(p *patient) {
	err := p.copy.EditService(p.Context(), "kubectl-edit", func(s *corev1.ServiceSpec) {
		s.Selector = map[string]string{"app": workload.Redis}
	})
	if err != nil {
		p.Fatal(err)
	}
}

func seeNeverReady(p *patient) {
	s := p.answers()
	if s.Container.Ready || s.Container.State.Running == nil || s.Container.RestartCount > 0 {
		p.Errorf("the container is %v", s.Container)
	}
	p.eventSays("Unhealthy", "Readiness probe ")
}

func mendProbe(p *patient) {
	p.editTemplate("ask redis-cli", func(template *corev1.PodTemplateSpec) {
		probe := template.Spec.Containers[0].ReadinessProbe
		probe.ProbeHandler = corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"redis-cli", "ping"}}}
	})
}

// answers: whoever asks in the pod itself gets a PONG.
func (p *patient) answers() workload.Store {
	p.Helper()
	s, there, err := p.copy.Store(p.Context())
	if err != nil || !there {
		p.Fatalf("the store's pod is there: %t, %v", there, err)
	}
	text, err := p.copy.Exec(p.Context(), s.Pod.Name, "redis-cli", "ping")
	if err != nil || text != "PONG\n" {
		p.Errorf("the store answers %q, %v", text, err)
	}
	return s
}
