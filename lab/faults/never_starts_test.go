package faults_test

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"redis-session-bot/lab/workload"
)

// waiting is the store's pod once its container waits for one of the reasons.
func (p *patient) waiting(reasons ...string) workload.Store {
	p.Helper()
	var s workload.Store
	p.until("a container that waits: "+strings.Join(reasons, " or "), func() bool {
		found, there, err := p.copy.Store(p.Context())
		if err != nil {
			p.Fatal(err)
		}
		s = found
		return there && s.Container.State.Waiting != nil && slices.Contains(reasons, s.Container.State.Waiting.Reason)
	})
	return s
}

func seeMissingKey(p *patient) {
	s := p.waiting("CreateContainerConfigError")
	if got := s.Container.State.Waiting.Message; !strings.Contains(got, "couldn't find key redis-password in Secret") {
		p.Errorf("it waits for %q", got)
	}
	if s.Container.RestartCount > 0 {
		p.Error("it has run before")
	}
}

// mendKey gives the key its name back: the waiting pod starts by itself.
func mendKey(p *patient) {
	err := p.copy.EditSecret(p.Context(), "kubectl-edit", func(data map[string][]byte) {
		data[workload.PasswordKey] = data["password"]
		delete(data, "password")
	})
	if err != nil {
		p.Fatal(err)
	}
}

func seeMissingMap(p *patient) {
	s, there, err := p.copy.Store(p.Context())
	if err != nil || !there {
		p.Fatalf("the store's pod is there: %t, %v", there, err)
	}
	if s.Pod.Status.Phase != corev1.PodPending {
		p.Errorf("the pod is %s", s.Pod.Status.Phase)
	}
	p.eventSays("FailedMount", `MountVolume.SetUp failed for volume "config" : configmap "redis-session-config" not found`)
}

// mendMap makes the ConfigMap anew from what a repository would hold.
func mendMap(p *patient) {
	for _, object := range workload.Objects(workload.Spec{Namespace: p.copy.Namespace}) {
		config, is := object.(*corev1.ConfigMap)
		if !is || config.Name != workload.RedisConfig {
			continue
		}
		if _, err := p.copy.Clients.CoreV1().ConfigMaps(p.copy.Namespace).Create(p.Context(), config, metav1.CreateOptions{}); err != nil {
			p.Fatal(err)
		}
	}
}

func seeImagePull(p *patient) {
	s := p.waiting("ImagePullBackOff")
	if !strings.HasSuffix(s.Container.Image, ":7.0.51") {
		p.Errorf("the image is %s", s.Container.Image)
	}
	if pods := p.pods(); len(pods) != 1 {
		p.Errorf("%d pods are there, one of them may serve", len(pods))
	}
	if history := p.history(); !strings.Contains(history, "upgrade Redis to 7.0.51") {
		p.Errorf("the history is:\n%s", history)
	}
}

func seeNoNode(p *patient) {
	p.eventSays("FailedScheduling", "0/1 nodes are available: 1 ")
	if history := p.history(); strings.Count(history, "run lab.local/redis:") != 1 {
		p.Errorf("there is a revision to go back to:\n%s", history)
	}
}

// seeNodePort: a copy of the store has its port of the node.
func seeNodePort(p *patient) {
	p.eventSays("FailedScheduling", "didn't have free ports for the requested pod ports")
	pods, err := p.copy.Pods(p.Context(), "redis-session-copy")
	if err != nil {
		p.Fatal(err)
	}
	if len(pods) != 1 || pods[0].Spec.Containers[0].Ports[0].HostPort == 0 {
		p.Errorf("%d pods of the copy", len(pods))
	}
}

func mendNodeSelector(p *patient) {
	p.editTemplate("any node will do", func(template *corev1.PodTemplateSpec) { template.Spec.NodeSelector = nil })
}

func seeRefusal(p *patient) {
	if pods := p.pods(); len(pods) > 0 {
		p.Errorf("%d pods are there", len(pods))
	}
	p.eventSays("FailedCreate", "is forbidden: ")
	p.serviceIsEmpty()
}

func mendQuota(p *patient) {
	if err := p.copy.Clients.CoreV1().ResourceQuotas(p.copy.Namespace).Delete(p.Context(), "team-quota", metav1.DeleteOptions{}); err != nil {
		p.Fatal(err)
	}
}

func seeSilentLoop(p *patient) {
	s := p.waiting("CrashLoopBackOff")
	if ended := s.Ended(); ended == nil || ended.ExitCode != 1 || ended.Message != "" {
		p.Errorf("the container ends with %v", ended)
	}
	if log, err := p.copy.Log(p.Context(), s.Pod.Name, false); err != nil || log != "" {
		p.Errorf("its log is %q, %v", log, err)
	}
	if history := p.history(); strings.Count(history, "run lab.local/redis:") != 1 {
		p.Errorf("there is a revision to go back to:\n%s", history)
	}
}

// eventSays looks for an event of the reason that holds the text.
func (p *patient) eventSays(reason, text string) {
	p.Helper()
	p.until("an event "+reason+": "+text, func() bool {
		list, err := p.copy.Clients.CoreV1().Events(p.copy.Namespace).List(p.Context(), metav1.ListOptions{FieldSelector: "reason=" + reason})
		if err != nil {
			p.Fatal(err)
		}
		return slices.ContainsFunc(list.Items, func(e corev1.Event) bool { return strings.Contains(e.Message, text) })
	})
}

// editTemplate is kubectl edit of the store's workload.
func (p *patient) editTemplate(cause string, edit func(*corev1.PodTemplateSpec)) {
	p.Helper()
	if err := p.copy.EditTemplate(p.Context(), "kubectl-edit", cause, edit); err != nil {
		p.Fatal(err)
	}
	p.releaseStatefulSet()
}
